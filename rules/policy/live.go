package policy

import (
	"context"
	"sync/atomic"

	"weir"
)

// Live holds the plan that counts now. The zero value denies. Safe for concurrent use.
type Live struct{ plan atomic.Pointer[Plan] }

// Set makes a plan count, for every command that is decided from now on.
func (l *Live) Set(p *Plan) { l.plan.Store(p) }

// Plan returns the plan that counts now, or nil.
func (l *Live) Plan() *Plan { return l.plan.Load() }

// Decide decides by the plan that counts now.
func (l *Live) Decide(_ context.Context, who *weir.Identity, res *weir.Resource, cmd *weir.Command) (weir.Verdict, error) {
	return l.plan.Load().Decide(who, res, cmd), nil
}

// Standing says how long decisions stand: on the same operation and the same weir.SQL as long as it returns the same plan, and where byText is set on the same text only. A nil plan
// says nothing of any.
func (l *Live) Standing() (plan any, byText bool) {
	p := l.plan.Load()
	if p == nil {
		return nil, true
	}
	return p, p.reads
}
