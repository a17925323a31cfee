package session_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
	"weir/gate/wire"
)

var leaf = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

// sealed speaks TLS over sockets, as engines do.
func sealed(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	c, err := leaf()
	if err != nil {
		t.Fatal(err)
	}
	a, b := sockets(t)
	near := tls.Client(wire.Under(a, nil), &tls.Config{InsecureSkipVerify: true})
	far := tls.Server(wire.Under(b, nil), &tls.Config{Certificates: []tls.Certificate{c}})
	done := make(chan error, 1)
	go func() { done <- far.Handshake() }()
	if err := near.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return near, far
}

func sockets(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

// What TLS has taken off the socket before a loop drives the session, the kernel tells nobody of.
func TestPumpTakesWhatTLSHasRead(t *testing.T) {
	first := true
	client, done, _ := pumped(t, func(t *testing.T) (net.Conn, net.Conn) {
		t.Helper()
		near, far := sealed(t)
		if first { // the client's side, as an engine leaves it that has read the login
			first = false
			for _, s := range []string{"login\n", "SHOW a\n"} {
				if _, err := io.WriteString(near, s); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(50 * time.Millisecond) // both are there
			if _, err := io.ReadFull(far, make([]byte, len("login\n"))); err != nil {
				t.Fatal(err)
			}
		}
		return near, far
	}, &gatetest.Controls{}, echo(nil))
	_ = client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if a := answer(t, bufio.NewReader(client)); !strings.HasPrefix(a, "you said SHOW a\n") {
		t.Fatal(a)
	}
	client.Close()
	<-done
}

// A session that waits has no goroutine where a loop can wait for it.
func TestCarriedSessionsHaveNoGoroutines(t *testing.T) {
	if !wire.Loops() {
		t.Skip("this system has no loops")
	}
	for _, kind := range []string{"sockets", "tls"} {
		t.Run(kind, func(t *testing.T) {
			const n = 20
			g := (&gatetest.Controls{}).Gate(t)
			done := make(chan error, n)
			clients := make([]net.Conn, n)
			before := runtime.NumGoroutine()
			for i := range clients {
				near, gateSide := links[kind](t)
				target, far := links[kind](t)
				s, err := g.IncomingConn(weir.Client{}, gateSide, func(context.Context, string) (session.Conn, []byte, error) {
					return target, nil, nil
				}).Authorize(t.Context(), gatetest.Hello())
				if err != nil {
					t.Fatal(err)
				}
				s.Carry(t.Context(), &gatetest.Lines{}, func(err error) { done <- err })
				if clients[i] = near; i > 0 {
					defer far.Close()
					continue
				}
				go echo(nil)(far)
				go func() { _, _ = io.WriteString(near, "SHOW a\n") }()
				if a := answer(t, bufio.NewReader(near)); !strings.HasPrefix(a, "you said SHOW a\n") {
					t.Fatal(a)
				}
			}
			if now := runtime.NumGoroutine(); now-before > 5 { // the loop's, and the target's
				t.Errorf("%d goroutines more with %d sessions", now-before, n)
			}
			for i := range clients {
				clients[i].Close()
			}
			for range clients {
				<-done
			}
		})
	}
}
