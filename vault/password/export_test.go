package password

import "context"

// Occupy takes a slot as a running hash does, until the returned func is called.
func (h *Hasher) Occupy(ctx context.Context) (func(), error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	return h.leave, nil
}
