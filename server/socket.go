package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"weir"
	"weir/front/api"
)

// SocketName is the admin socket's name in data_dir.
const SocketName = "admin.sock"

// listenSocket opens the admin socket. One that a dead process left is replaced; the lock on the journals keeps out a second gateway.
func listenSocket(ctx context.Context, dir string) (net.Listener, error) {
	path := filepath.Join(dir, SocketName)
	if len(path) > 100 {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the path %s is too long for a unix socket; choose a data_dir with a shorter path", path), nil)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the admin socket %s cannot be replaced; make data_dir writable", path), err)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the admin socket %s cannot be made; make data_dir writable", path), err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the admin socket: %w", err), ln.Close())
	}
	return ln, nil
}

type peerKey struct{}

// serveSocket makes the server of the admin socket: the API for whoever runs the gateway, and for root.
func serveSocket(h http.Handler) *http.Server {
	return &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if u, ok := c.(*net.UnixConn); ok {
				if uid, err := peerUID(u); err == nil {
					return context.WithValue(ctx, peerKey{}, uid)
				}
			}
			return ctx
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			uid, ok := r.Context().Value(peerKey{}).(uint32)
			if !ok || int(uid) != os.Getuid() && uid != 0 {
				http.Error(w, "only the user who runs the gateway may use this socket", http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r.WithContext(api.WithIdentity(r.Context(), localAdmin(uid))))
		}),
	}
}

func localAdmin(uid uint32) weir.Identity {
	id := strconv.FormatUint(uint64(uid), 10)
	name := id
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	return weir.Identity{User: weir.UserID("os:" + id), Name: "local:" + name, Kind: weir.Human, Admin: true, Method: weir.AdminSocket}
}
