package identity

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"weir"
	"weir/vault/password"
	"weir/vault/secret"
)

// Bounds of what a user is made of.
const (
	maxName   = 64
	maxGroups = 256
)

// NewUser is what AddUser makes a user of.
type NewUser struct {
	Name     string // lower-case letters, digits, ".", "_", "-"; begins with a letter or digit; at most 64
	Kind     weir.Kind
	Groups   []string // of the same form
	Admin    bool
	Password secret.String // optional; people only
}

// AddUser adds a user. Errors: Invalid, Conflict when the name is taken.
func (a *Authority) AddUser(ctx context.Context, n NewUser) (User, error) {
	if err := checkName("user name", n.Name); err != nil {
		return User{}, err
	}
	if n.Name == "system" {
		return User{}, invalid("the user name system is Weir's own; take another")
	}
	if n.Kind != weir.Human && n.Kind != weir.Machine {
		return User{}, invalid("a user's kind is human or machine")
	}
	groups, err := checkGroups(n.Groups)
	if err != nil {
		return User{}, err
	}
	var hash string
	if !n.Password.IsZero() {
		if n.Kind != weir.Human {
			return User{}, invalid("a machine has no password; give it a token")
		}
		if hash, err = a.hash(ctx, n.Password); err != nil {
			return User{}, err
		}
	}
	id, err := a.newID("usr_")
	if err != nil {
		return User{}, err
	}
	u := User{
		ID: weir.UserID(id), Name: n.Name, Kind: n.Kind, Groups: groups, Admin: n.Admin,
		HasPassword: hash != "", Created: a.stamp(),
	}
	switch err := a.store.InsertUser(ctx, &u, hash); {
	case errors.Is(err, ErrExists):
		return User{}, weir.NewError(weir.Conflict, fmt.Sprintf("there is a user %s already; take another name or remove it first", n.Name), err)
	case err != nil:
		return User{}, fmt.Errorf("add user: %w", err)
	}
	return u, nil
}

// ListUsers returns all users by name.
func (a *Authority) ListUsers(ctx context.Context) ([]User, error) {
	list, err := a.store.Users(ctx, UserFilter{})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return list, nil
}

// UserNamed returns the user of the name. Errors: NotFound.
func (a *Authority) UserNamed(ctx context.Context, name string) (User, error) {
	if name == "" {
		return User{}, noUser(name)
	}
	return a.oneUser(ctx, UserFilter{Name: name}, name)
}

// User returns the user of the id. Errors: NotFound.
func (a *Authority) User(ctx context.Context, id weir.UserID) (User, error) {
	if id == "" {
		return User{}, noUser("")
	}
	return a.oneUser(ctx, UserFilter{ID: id}, string(id))
}

// Identity returns the user's identity as it is now, proved by nothing. Errors: NotFound, also when disabled.
func (a *Authority) Identity(ctx context.Context, id weir.UserID) (weir.Identity, error) {
	u, err := a.User(ctx, id)
	if err != nil {
		return weir.Identity{}, err
	}
	if u.Disabled {
		return weir.Identity{}, noUser(string(id))
	}
	return identityOf(&u, "", ""), nil
}

func (a *Authority) oneUser(ctx context.Context, f UserFilter, name string) (User, error) {
	list, err := a.store.Users(ctx, f)
	switch {
	case err != nil:
		return User{}, fmt.Errorf("read user: %w", err)
	case len(list) != 1:
		return User{}, noUser(name)
	}
	return list[0], nil
}

// SetPassword sets or replaces a person's password and signs the user's browsers out. Errors: Invalid, NotFound.
func (a *Authority) SetPassword(ctx context.Context, id weir.UserID, pw secret.String) error {
	u, err := a.User(ctx, id)
	if err != nil {
		return err
	}
	if u.Kind != weir.Human {
		return invalid("a machine has no password; give it a token")
	}
	hash, err := a.hash(ctx, pw)
	if err != nil {
		return err
	}
	err = a.store.SetPasswordHash(ctx, id, hash)
	a.revoke(Revocation{Kind: RevokedPassword, User: id, Reason: "the password was changed", matches: func(s *weir.SessionInfo) bool {
		return s.Identity.User == id && s.Identity.Method == string(Browser)
	}})
	return userError("set password", string(id), err)
}

// SetGroups replaces the user's groups and, if that changes them, ends the user's sessions: rules and
// approvals go by groups, in both directions. Errors: Invalid, NotFound.
func (a *Authority) SetGroups(ctx context.Context, id weir.UserID, groups []string) (User, error) {
	groups, err := checkGroups(groups)
	if err != nil {
		return User{}, err
	}
	return a.change(ctx, id, "the user's groups were changed", func(u *User) { u.Groups = groups })
}

// SetAdmin gives or takes the administrator's right and, if that changes it, ends the user's sessions. Errors: NotFound.
func (a *Authority) SetAdmin(ctx context.Context, id weir.UserID, admin bool) (User, error) {
	return a.change(ctx, id, "the user's rights were changed", func(u *User) { u.Admin = admin })
}

// SetDisabled shuts a user out, or lets it in again, and keeps everything it has. Errors: NotFound.
func (a *Authority) SetDisabled(ctx context.Context, id weir.UserID, disabled bool) (User, error) {
	return a.change(ctx, id, "the user was disabled", func(u *User) { u.Disabled = disabled })
}

func (a *Authority) change(ctx context.Context, id weir.UserID, reason string, change func(*User)) (User, error) {
	var changed, shut bool
	u, err := a.store.ChangeUser(ctx, id, func(u *User) error {
		was := *u
		change(u)
		changed = was.Admin != u.Admin || was.Disabled != u.Disabled || !slices.Equal(was.Groups, u.Groups)
		shut = u.Disabled && !was.Disabled
		return nil
	})
	if err != nil {
		a.Forget()
		return User{}, userError("change user", string(id), err)
	}
	if changed {
		kind := RevokedRights
		if shut {
			kind = RevokedUser
		}
		a.revokeUser(kind, id, reason)
	}
	return u, nil
}

// RemoveUser removes a user with its tokens, keys and grants and ends its sessions. A later user of the same
// name is another user. Errors: NotFound.
func (a *Authority) RemoveUser(ctx context.Context, id weir.UserID) error {
	err := a.store.DeleteUser(ctx, id)
	if err == nil || !errors.Is(err, ErrNotFound) {
		a.revokeUser(RevokedUser, id, "the user was removed")
	}
	return userError("remove user", string(id), err)
}

// VerifyPassword says who has the name and the password. It takes the same time whether or not the user exists, and
// longer the more the name is being guessed at. The error is a *weir.Denied.
func (a *Authority) VerifyPassword(ctx context.Context, name string, pw secret.String, c weir.Client) (weir.Identity, error) {
	if wait := a.limit.reserve(c); wait > 0 {
		return weir.Identity{}, slowDown(wait)
	}
	if ok, err := a.limit.putOff(ctx, c, name); err != nil {
		return weir.Identity{}, err
	} else if !ok {
		return weir.Identity{}, slowDown(a.limit.limits.LoginDelay)
	}
	u, hash, err := a.store.PasswordHash(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return weir.Identity{}, fmt.Errorf("read password hash: %w", err)
	}
	if err != nil || u.Disabled || u.Kind != weir.Human {
		hash = "" // Verify does the work all the same
	}
	right, err := a.hasher.Verify(ctx, hash, pw)
	if err != nil {
		return weir.Identity{}, fmt.Errorf("verify password: %w", err)
	}
	if !right {
		a.limit.misguessed(name)
		return weir.Identity{}, refused(errors.New("wrong user name or password"))
	}
	a.limit.right(c, name)
	return identityOf(&u, string(Browser), ""), nil
}

func (a *Authority) hash(ctx context.Context, pw secret.String) (string, error) {
	hash, err := a.hasher.Hash(ctx, pw)
	switch {
	case errors.Is(err, password.ErrLength):
		return "", weir.NewError(weir.Invalid, password.ErrLength.Error(), nil)
	case err != nil:
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// idEncoding is lower-case base32 without the characters that are mistaken for others.
var idEncoding = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// newID returns prefix and 80 random bits.
func (a *Authority) newID(prefix string) (string, error) { return a.randomName(prefix, 10) }

func (a *Authority) randomName(prefix string, bytes int) (string, error) {
	b := make([]byte, bytes)
	if _, err := io.ReadFull(a.random, b); err != nil {
		return "", fmt.Errorf("read random id: %w", err)
	}
	return prefix + idEncoding.EncodeToString(b), nil
}

func checkName(what, name string) error {
	bad := name == "" || len(name) > maxName || strings.ContainsRune("._-", rune(name[0]))
	for i := 0; i < len(name) && !bad; i++ {
		c := name[i]
		bad = (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
	}
	if bad {
		return invalid(fmt.Sprintf("the %s %.80q is not valid: use 1 to 64 of a-z, 0-9, dot, underscore and hyphen, beginning with a letter or digit", what, name))
	}
	return nil
}

func checkGroups(groups []string) ([]string, error) {
	if len(groups) > maxGroups {
		return nil, invalid(fmt.Sprintf("a user has at most %d groups", maxGroups))
	}
	for _, g := range groups {
		if err := checkName("group name", g); err != nil {
			return nil, err
		}
	}
	sorted := slices.Clone(groups)
	slices.Sort(sorted)
	return slices.Compact(sorted), nil
}

func invalid(public string) *weir.Error { return weir.NewError(weir.Invalid, public, nil) }

func noUser(name string) *weir.Error {
	return weir.NewError(weir.NotFound, fmt.Sprintf("there is no user %.80s; see weir users ls", name), nil)
}

func userError(doing, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return noUser(name)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
