package session_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/gate/gatetest"
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
