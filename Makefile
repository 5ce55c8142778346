# Wellsent. `make test` is everything that must pass; `make help` lists the rest.

GO       ?= go
STATIC   := $(GO) tool staticcheck
PACKAGES := ./...

.PHONY: help build test check cross unit interop doctor-matrix race bench fuzz soak docs explain-report clean

help:
	@echo "make test     format, vet, staticcheck and all tests with the race detector, real peers too"
	@echo "make build    bin/wellsent"
	@echo "make check    format, vet, staticcheck and house rules, no tests"
	@echo "make cross    compile for Windows and macOS"
	@echo "make unit     the tests of the packages, without real peers"
	@echo "make interop  Postfix, Exim, swaks, curl, msmtp and Python against the binary; kill -9; full disk"
	@echo "make doctor-matrix  what the doctor says of each failure of the lab, of real servers and of networks"
	@echo "make bench    end to end beside Postfix, in one run"
	@echo "make fuzz     every fuzz target for FUZZTIME (default 20s) each"
	@echo "make docs     docs/causes from the catalogue of causes"
	@echo "make explain-report  how well the labelled failures are named; WELLSENT_CORPUS=FILE adds a corpus"
	@echo "make clean    remove what was built; the cache of unpacked peers stays"

build:
	$(GO) build -o bin/wellsent ./cmd/wellsent

test: check cross unit interop

check:
	@fmt=$$(gofmt -l $$(git ls-files "*.go")); if [ -n "$$fmt" ]; then echo "gofmt would change:"; echo "$$fmt"; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(STATIC) $(PACKAGES)
	$(GO) test -count=1 ./test/house/

# The client side runs on people's own machines.
cross:
	GOOS=windows $(GO) build -o /dev/null ./cmd/wellsent
	GOOS=darwin $(GO) build -o /dev/null ./cmd/wellsent

unit:
	$(GO) test -race -shuffle=on -timeout 8m ./internal/... ./cmd/...

interop:
	$(GO) test -count=1 -shuffle=on -timeout 10m ./test/... ./bench/...

doctor-matrix:
	@mkdir -p bin; WELLSENT_MATRIX=$(CURDIR)/bin/doctor-matrix.txt $(GO) test -count=1 -timeout 10m ./test/doctor > bin/doctor-matrix.log 2>&1; code=$$?; \
	  cat bin/doctor-matrix.txt; [ $$code = 0 ] || { cat bin/doctor-matrix.log; exit $$code; }

bench:
	$(GO) run ./bench

FUZZTIME ?= 20s
fuzz:
	@for p in $$($(GO) list ./internal/...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

docs:
	$(GO) generate ./internal/cause

explain-report:
	@mkdir -p bin
	@WELLSENT_EXPLAIN_REPORT=$(CURDIR)/bin/explain-report.txt $(GO) test -count=1 -run '^TestReport$$' ./internal/explain > /dev/null
	@cat bin/explain-report.txt

clean:
	rm -rf bin
