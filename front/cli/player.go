package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"weir/evidence/screen"
)

// player shows an asciicast (version 2) with its pauses. What it writes is filtered: a recording cannot make the viewer's terminal
// do more than show text.
type player struct {
	open     func(ctx context.Context) (io.ReadCloser, error)
	out      io.Writer
	keys     <-chan key // nil: none
	terminal bool
	speed    float64
	idle     time.Duration // no pause is longer; 0: all as they were

	filter screen.Filter
	buf    []byte
	now    time.Duration // where in the recording
	paused bool
}

// key is one that was pressed.
type key byte

// Keys that are more than one byte, or that mean the same.
const (
	keyQuit  key = 'q'
	keyPause key = ' '
	keyLeft  key = 'h'
	keyRight key = 'l'
	keyFast  key = '+'
	keySlow  key = '-'
)

const (
	seekStep = 5 * time.Second
	playTick = 10 * time.Millisecond
	minSpeed = 1.0 / 16
	maxSpeed = 64
)

// errAgain asks for another pass, up to player.now.
var errAgain = errors.New("again")

// run plays from a place on, until the end, the key q or the end of ctx.
func (p *player) run(ctx context.Context, from time.Duration) error {
	p.now = from
	for {
		err := p.pass(ctx, p.now)
		if errors.Is(err, errAgain) {
			continue
		}
		if p.terminal {
			_, _ = io.WriteString(p.out, screen.Reset+screen.Leave+"\r\n")
		}
		if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
			err = nil
		}
		return err
	}
}

// pass plays from the start: at once up to a place, and with pauses from there. io.EOF is the end.
func (p *player) pass(ctx context.Context, target time.Duration) error {
	body, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	dec := json.NewDecoder(body)
	var head map[string]any
	if err := dec.Decode(&head); err != nil {
		return fmt.Errorf("read recording: %w", err)
	}
	p.filter = screen.Filter{}
	if p.terminal {
		if _, err := io.WriteString(p.out, screen.Reset+screen.Leave+"\x1b[2J\x1b[H"); err != nil {
			return err
		}
	}
	tick := time.NewTicker(playTick)
	defer tick.Stop()
	for {
		var ev [3]any
		if err := dec.Decode(&ev); err != nil {
			if errors.Is(err, io.EOF) {
				return io.EOF
			}
			return fmt.Errorf("read recording: %w", err)
		}
		seconds, _ := ev[0].(float64)
		code, _ := ev[1].(string)
		text, _ := ev[2].(string)
		if code != "o" {
			continue
		}
		at := time.Duration(seconds * float64(time.Second))
		if at > target {
			if err := p.wait(ctx, at, tick.C); err != nil {
				return err
			}
		}
		p.buf = p.filter.Append(p.buf[:0], []byte(text))
		if _, err := p.out.Write(p.buf); err != nil {
			return err
		}
	}
}

// wait lets time pass until a place of the recording is reached, and obeys keys.
func (p *player) wait(ctx context.Context, until time.Duration, tick <-chan time.Time) error {
	if p.idle > 0 && until-p.now > p.idle {
		p.now = until - p.idle
	}
	var last time.Time
	for p.now < until {
		select {
		case t := <-tick:
			passed := playTick
			if !last.IsZero() {
				passed = t.Sub(last)
			}
			if last = t; !p.paused {
				p.now += time.Duration(float64(passed) * p.speed)
			}
		case k, ok := <-p.keys:
			if !ok {
				p.keys = nil
				continue
			}
			if err := p.press(k); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (p *player) press(k key) error {
	switch k {
	case keyQuit, 3, 4: // Ctrl-C and Ctrl-D are keys like others now
		return io.EOF
	case keyPause:
		p.paused = !p.paused
	case keyFast, '=':
		p.speed = min(p.speed*1.5, maxSpeed)
	case keySlow, '_':
		p.speed = max(p.speed/1.5, minSpeed)
	case keyRight:
		p.now += seekStep
	case keyLeft:
		p.now = max(0, p.now-seekStep)
		return errAgain
	}
	return nil
}

// readKeys reads keys until r or ctx ends. A read from a terminal cannot be cut short, so it may outlast ctx until one more key.
func readKeys(ctx context.Context, r io.Reader) <-chan key {
	keys := make(chan key)
	go func() {
		defer close(keys)
		var b [16]byte
		for {
			n, err := r.Read(b[:])
			for in := b[:n]; len(in) > 0; {
				k := key(in[0])
				if len(in) >= 3 && in[0] == 0x1b && (in[1] == '[' || in[1] == 'O') {
					k = map[byte]key{'C': keyRight, 'D': keyLeft}[in[2]]
					in = in[2:]
				}
				in = in[1:]
				select {
				case keys <- k:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return keys
}
