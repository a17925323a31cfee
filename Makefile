# make run    build and start the demo          make test   everything the tests need, then all of them
# make build  one static binary in bin/weir     make check  lint, architecture, make test: what CI runs
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
CACHE := $(CURDIR)/.cache
LINT_VERSION := v2.15.0
LINT := $(CACHE)/bin/golangci-lint-$(LINT_VERSION)
FUZZTIME ?= 3s

.PHONY: run build bench tools test race fuzz oracle lint arch check clean

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/weir ./cmd/weir

run: build
	bin/weir demo

test: tools race fuzz

# What the end-to-end tests talk to and talk with. Installed with apt or brew, saying so.
tools:
	@missing=; for p in curl:curl rsync:rsync git:git ssh:openssh-client sshd:openssh-server python3:python3; do \
		PATH="$$PATH:/usr/sbin" command -v $${p%%:*} >/dev/null || missing="$$missing $${p##*:}"; done; \
	command -v psql >/dev/null || missing="$$missing postgresql"; \
	if command -v apt-get >/dev/null; then for m in psycopg2 asyncpg sqlalchemy; do /usr/bin/python3 -c "import $$m" 2>/dev/null || missing="$$missing python3-$$m"; done; fi; \
	if command -v apt-get >/dev/null && command -v java >/dev/null; then [ -e /usr/share/java/postgresql.jar ] || missing="$$missing libpostgresql-jdbc-java"; fi; \
	[ -n "$$missing" ] || exit 0; echo "installing$$missing"; \
	if command -v apt-get >/dev/null; then SUDO=$$(command -v sudo || true); $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq $$missing; \
	elif command -v brew >/dev/null; then brew install $$(echo $$missing | sed 's/openssh-[a-z]*/openssh/g' | tr ' ' '\n' | sort -u); \
	else echo "install$$missing, then run make test again"; exit 1; fi

race:
	go test -race -timeout 25m ./...

# Every fuzz target for a few seconds: a smoke test, not a campaign. The go command may call its own time limit a failure
# ("context deadline exceeded", with no failing input); only then the target runs again, twice at most.
fuzz:
	@pkgs=$$(go list ./...) && for pkg in $$pkgs; do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			for try in 1 2 3; do \
				echo "fuzz $$pkg $$target"; out=$$(go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg 2>&1) && continue 2; \
				echo "$$out"; \
				if echo "$$out" | grep -q 'Failing input' || ! echo "$$out" | grep -q 'context deadline exceeded'; then exit 1; fi; \
			done; \
			exit 1; \
		done; \
	done

# rules/sql against PostgreSQL's own parser, which needs a C compiler and some minutes to build the first time.
oracle:
	cd test/sqloracle && go test ./... && go test -run '^$$' -fuzz '^FuzzOracle$$' -fuzztime 30s .

# Micro-benchmarks; the gateway against direct access, nginx and a plain relay; masking against other tools, which test/peers fetches. Some minutes.
# WEIR_CORPUS names a labelled corpus to score. docs/benchmarks.md keeps the figures.
bench:
	@command -v nginx >/dev/null && command -v wrk >/dev/null || { echo "installing nginx-light and wrk"; \
		SUDO=$$(command -v sudo || true); $$SUDO apt-get update -qq && $$SUDO apt-get install -y -qq nginx-light wrk; }
	go test -run '^$$' -bench . -benchtime 1s ./mask/... ./rules/...
	WEIR_BENCH=1 go test -count=1 -v -timeout 40m -run TestBench ./test

$(LINT):
	@echo "installing golangci-lint $(LINT_VERSION) into .cache/bin (some minutes, once)"
	@mkdir -p $(CACHE)/bin/tmp
	GOBIN=$(CACHE)/bin/tmp go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(CACHE)/bin/tmp/golangci-lint $@

lint: $(LINT)
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	$(LINT) run ./...

arch:
	go test -run 'TestImportsPointOneWay' -count=1 .

check: export WEIR_REQUIRE_SERVERS := 1
check: lint arch test

clean:
	rm -rf bin
