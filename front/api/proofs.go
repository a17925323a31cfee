package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"weir"
	"weir/service"
)

// SSHKeyBody registers an SSH key, or has it signed.
type SSHKeyBody struct {
	User string `json:"user,omitempty" maxLength:"64" doc:"another user; for administrators"`
	Key  string `json:"key" minLength:"1" maxLength:"16384" doc:"one line of a .pub file"`
	TTL  string `json:"ttl,omitempty" doc:"such as 8h; a key is good for ever and a certificate for 8h when absent"`
}

// ClientCertBody asks for a client certificate.
type ClientCertBody struct {
	User    string `json:"user,omitempty" maxLength:"64" doc:"another user; for administrators"`
	Request string `json:"request" minLength:"1" maxLength:"16384" doc:"a certificate request in PEM; only its key counts"`
	TTL     string `json:"ttl,omitempty" doc:"such as 8h, which is the default"`
}

// KeyNamed is the input of operations on an SSH key.
type KeyNamed struct {
	Name string `query:"name" required:"true" minLength:"1" maxLength:"256" doc:"its fingerprint (SHA256:…) or id"`
}

func (h *Handler) proofs(a huma.API) {
	add(h, a, op("list-ssh-keys", http.MethodGet, "/ssh/keys", "identity", "Registered SSH keys"), false,
		func(ctx context.Context, who *weir.Identity, in *Owned) ([]service.SSHKey, error) {
			return h.service.SSHKeys(ctx, who, in.User)
		})
	add(h, a, op("add-ssh-key", http.MethodPost, "/ssh/keys", "identity", "Register an SSH key"), false,
		func(ctx context.Context, who *weir.Identity, in *struct{ Body SSHKeyBody }) (service.SSHKey, error) {
			ttl, err := ParseTTL(in.Body.TTL)
			if err != nil {
				return service.SSHKey{}, err
			}
			return h.service.AddSSHKey(ctx, who, in.Body.User, in.Body.Key, ttl)
		})
	// A fingerprint may hold a slash, so that it does not go into the path.
	add(h, a, op("remove-ssh-key", http.MethodDelete, "/ssh/keys", "identity", "Remove an SSH key and end its sessions"), false,
		func(ctx context.Context, who *weir.Identity, in *KeyNamed) (service.SSHKey, error) {
			return h.service.RemoveSSHKey(ctx, who, in.Name)
		})
	add(h, a, op("ssh-info", http.MethodGet, "/ssh", "identity", "Where the gateway speaks SSH, and how clients know it"), false,
		func(ctx context.Context, who *weir.Identity, _ *none) (service.SSHInfo, error) {
			return h.service.SSHInfo(ctx, who)
		})
	add(h, a, op("sign-ssh-key", http.MethodPost, "/ssh/certificates", "identity", "Issue an SSH certificate"), false,
		func(ctx context.Context, who *weir.Identity, in *struct{ Body SSHKeyBody }) (service.SSHCert, error) {
			ttl, err := ParseTTL(in.Body.TTL)
			if err != nil {
				return service.SSHCert{}, err
			}
			return h.service.SignSSH(ctx, who, in.Body.User, in.Body.Key, ttl)
		})
	add(h, a, op("sign-client", http.MethodPost, "/certificates", "identity", "Issue a client certificate"), false,
		func(ctx context.Context, who *weir.Identity, in *struct{ Body ClientCertBody }) (service.ClientCert, error) {
			ttl, err := ParseTTL(in.Body.TTL)
			if err != nil {
				return service.ClientCert{}, err
			}
			return h.service.SignClient(ctx, who, in.Body.User, in.Body.Request, ttl)
		})
	add(h, a, op("list-certificates", http.MethodGet, "/certificates", "identity", "Certificates that were issued"), false,
		func(ctx context.Context, who *weir.Identity, in *Owned) ([]service.Credential, error) {
			return h.service.Certs(ctx, who, in.User)
		})
	add(h, a, op("revoke-certificate", http.MethodDelete, "/certificates/{name}", "identity", "Revoke a certificate and end its sessions"), false,
		func(ctx context.Context, who *weir.Identity, in *Named) (service.Credential, error) {
			return h.service.Revoke(ctx, who, in.Name)
		})
}
