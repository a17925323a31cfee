// Command weir is the gateway and its command line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/term"

	"weir"
	"weir/config"
	"weir/front/cli"
	"weir/server"
	"weir/service"
)

// version is set when a release is built.
var version = ""

func versionText() string {
	if version != "" {
		return version
	}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "dev"
}

func main() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(400) // the heap is a few MB at first: collecting it all the time costs more than it frees; a server lowers this as it grows
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	streams := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		streams.Password = func(prompt string) (string, error) {
			fmt.Fprint(os.Stderr, prompt)
			b, err := term.ReadPassword(fd)
			fmt.Fprintln(os.Stderr)
			return string(b), err
		}
		if term.IsTerminal(int(os.Stdout.Fd())) {
			streams.Raw = func() (func(), error) {
				before, err := term.MakeRaw(fd)
				return func() { _ = term.Restore(fd, before) }, err
			}
		}
	}
	code := cli.Run(ctx, os.Args[1:], versionText(), os.LookupEnv, streams, cli.Local{Serve: serve, Demo: demo, Check: check, Verify: verify, Mask: maskWith})
	stop()
	os.Exit(code)
}

func options(file string) server.Options {
	return server.Options{File: file, Version: versionText(), Log: os.Stderr, Now: time.Now, LookupEnv: os.LookupEnv}
}

// spare lets Go run one goroutine more at a time than there are processors. Else a goroutine that waits for the disk while another one runs makes Go's monitor
// thread look after both every 20 µs, which takes a fifth of the time when there are two processors.
func spare() {
	if _, set := os.LookupEnv("GOMAXPROCS"); !set {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

func serve(ctx context.Context, file string) error {
	spare()
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, cfg, options(file))
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		for range hup {
			s.Reload(ctx)
		}
	}()
	return s.Run(ctx)
}

func demo(ctx context.Context, dataDir, listen string, asJSON bool) error {
	spare()
	opt := options("")
	d, err := server.NewDemo(ctx, dataDir, listen, opt)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(os.Stdout).Encode(d)
	} else {
		_, err = os.Stdout.WriteString(d.Guide(os.Args[0]))
	}
	return errors.Join(d.Run(ctx), err)
}

func check(file string) ([]string, error) {
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	return server.CheckConfig(cfg, file, os.LookupEnv)
}

func verify(dataDir, key string) (*service.Evidence, error) {
	return server.VerifyDir(dataDir, key, time.Now())
}

// maskWith prepares to mask inputs as o says.
func maskWith(o cli.MaskOptions) (cli.MaskFunc, error) {
	f, err := server.NewFilter(server.FilterOptions{Format: o.Format, Fields: o.Fields, Disable: o.Disable, Personal: o.Personal, Config: o.Config})
	if err != nil {
		return nil, err
	}
	return func(out io.Writer, in io.Reader, name string, found func(weir.Finding) error) (map[string]int, error) {
		tally, err := f.Copy(out, in, name, found)
		counts := map[string]int{}
		tally.Each(func(kind string, n int) { counts[kind] = n })
		return counts, err
	}, nil
}
