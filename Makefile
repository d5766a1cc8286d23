# superd: one Makefile, no configure, no recursion but for flavours.  `make help` lists the targets.
#
#   FLAVOR=release|asan|cov   what is built, each in build/$(FLAVOR)/
#   CC CFLAGS LDFLAGS PREFIX DESTDIR … stay the packager's.

VERSION   := 0.1
FLAVOR    ?= release
B         := build/$(FLAVOR)

PREFIX    ?= /usr/local
SBINDIR   ?= $(PREFIX)/sbin
BINDIR    ?= $(PREFIX)/bin
MANDIR    ?= $(PREFIX)/share/man
LIBEXECDIR ?= $(PREFIX)/libexec
HANDLERDIR ?= $(LIBEXECDIR)/superd
IMPORTDIR ?= $(LIBEXECDIR)/superd-import
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
CONFDIR   ?= $(SYSCONFDIR)/superd
DATADIR   ?= $(PREFIX)/share/superd
UNITDIR   ?= $(PREFIX)/lib/systemd/system
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
INSTALL   ?= install

CFLAGS    ?= -O2 -g
CORES     := $(shell nproc 2>/dev/null || echo 1)
PYTEST    ?= pytest
# End-to-end tests at once; each has a network of its own then.  0: one after the other, in this one.
JOBS      ?= 4
CLANG     ?= clang

# ---------------------------------------------------------------- what is built from what
LAYERS       := base model os config run
LIB_SRC      := $(foreach d,$(LAYERS),$(wildcard daemon/$(d)/*.c))
LIB_OBJ      := $(LIB_SRC:%.c=$(B)/%.o)
LIB          := $(B)/libsuperd.a
PROG_SRC     := $(wildcard daemon/*.c)
PROGS        := $(PROG_SRC:daemon/%.c=$(B)/%)
# What only superctl is made of; curses is for its `top`.
CTL_SRC      := $(wildcard daemon/ctl/*.c)
CTL_OBJ      := $(CTL_SRC:%.c=$(B)/%.o)
HCOMMON_SRC  := $(wildcard handlers/common/*.c)
HANDLER_SRC  := $(wildcard handlers/*.c)
HANDLERS     := $(HANDLER_SRC:handlers/%.c=$(B)/handlers/%)
# Handlers that need libraries, which come as they do; each has a folder of its own.
RICH         := status
RICH_SRC     := $(foreach h,$(RICH),handlers/$(h).c $(wildcard handlers/$(h)/*.c))
RICH_OBJ     := $(RICH_SRC:%.c=$(B)/rich/%.o)
RICH_PROGS   := $(RICH:%=$(B)/handlers/%)
# Handlers are static, with musl where it is installed: their start-up is most of a connection's cost.
HLIB         := $(B)/handlers/libhandlers.a
HLIB_OBJ     := $(HCOMMON_SRC:%.c=$(B)/static/%.o)
# The same common code once more with the daemon's compiler, for unit tests and fuzzers.
TLIB         := $(B)/libhandlers-test.a
TLIB_OBJ     := $(HCOMMON_SRC:%.c=$(B)/%.o)
UNIT_SRC     := $(wildcard tests/unit/test_*.c)
UNITS        := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
FUZZ_SRC     := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS      := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
REPLAYS      := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/replay/%)
MAN_SRC      := $(wildcard daemon/*.[1-8]) $(wildcard handlers/*.[1-8]) $(wildcard contrib/import/*.[1-8])

# ---------------------------------------------------------------- flags
WARN      := -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
             -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef
HARDEN    := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
HARDEN_LD := -pie -Wl,-z,relro,-z,now
SAN       :=
ifeq ($(FLAVOR),asan)
SAN       := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN    := -fPIE
override CFLAGS := -O1 -g
endif
ifeq ($(FLAVOR),cov)
SAN       := --coverage
HARDEN    := -fPIE
override CFLAGS := -O0 -g
endif

ifeq ($(shell command -v pkg-config >/dev/null 2>&1 && pkg-config --exists libevent_core jansson && echo yes),yes)
DEP_CFLAGS := $(shell pkg-config --cflags libevent_core jansson)
DEP_LIBS   := $(shell pkg-config --libs libevent_core jansson)
HTTP_LIBS  := $(shell pkg-config --libs libevent_extra libevent_core jansson)
CTL_LIBS   := $(shell pkg-config --libs jansson ncursesw 2>/dev/null || echo -ljansson -lncursesw -ltinfo)
endif

# Sizes of files and limits have 64 bits everywhere.  Times are as the system has them: libevent's
# interface contains struct timeval, and where that has 32 bits, _TIME_BITS=64 would not fit to it.
WIDTH     := -D_FILE_OFFSET_BITS=64
DEFS      := -D_GNU_SOURCE $(WIDTH) -DSUPERD_VERSION='"$(VERSION)"' -DSUPERD_HANDLER_DIR='"$(HANDLERDIR)"' \
             -DSUPERD_FLAVOR='"$(FLAVOR)"'
D_CFLAGS   = $(WARN) $(HARDEN) $(SAN) $(DEFS) $(DEP_CFLAGS) -I. -MMD -MP $(CPPFLAGS) $(CFLAGS)
D_LDFLAGS  = $(HARDEN_LD) $(SAN) $(LDFLAGS)

MUSL_CC   := $(shell command -v musl-gcc 2>/dev/null)
HCC       ?= $(or $(MUSL_CC),$(CC))
ifeq ($(FLAVOR),cov)
HCC        = $(CC)
H_STATIC   = $(SAN) -no-pie
else ifeq ($(FLAVOR),asan)
HCC        = $(CC)
H_STATIC   = $(SAN) -no-pie
else
H_STATIC   = -static -no-pie -Wl,-z,noseparate-code -Wl,--build-id=none -Wl,--gc-sections
endif
H_CFLAGS   = $(WARN) -fstack-protector-strong -fno-pie -ffunction-sections -fdata-sections \
             -fno-asynchronous-unwind-tables -D_GNU_SOURCE $(WIDTH) -DSUPERD_VERSION='"$(VERSION)"' \
             -DSUPERD_DATA_DIR='"$(DATADIR)"' -I. -MMD -MP $(CPPFLAGS) \
             $(SAN) $(if $(SAN),-O1 -g,-O2 -g0)

# ---------------------------------------------------------------- building
# V=1 shows the commands.
Q   := $(if $(V),,@)
say  = $(if $(V),@:,@printf '  %-4s %s\n' $(1) $(2))

.PHONY: all progs handlers
all: progs handlers ## build the daemon and the handlers
progs: $(PROGS)
handlers: $(HANDLERS)

# All that shapes an object, so that another PREFIX or other flags build it anew.
SETTINGS = $(CC) $(D_CFLAGS) $(D_LDFLAGS) $(HCC) $(H_CFLAGS) $(H_STATIC)
$(B)/settings: FORCE
	$(shell mkdir -p $(@D))$(file >$@.new,$(SETTINGS))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: FORCE
FORCE:

$(B)/%.o: %.c $(B)/settings
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(D_CFLAGS) -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/superctl: $(B)/daemon/superctl.o $(CTL_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(D_LDFLAGS) -o $@ $^ $(CTL_LIBS)

$(filter-out $(B)/superctl,$(PROGS)): $(B)/%: $(B)/daemon/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(D_LDFLAGS) -o $@ $^ $(DEP_LIBS)

$(B)/static/%.o: %.c $(B)/settings
	@mkdir -p $(@D)
	$(call say,HCC,$<)
	$(Q)$(HCC) $(H_CFLAGS) -c -o $@ $<

$(HLIB): $(HLIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/rich/%.o: %.c $(B)/settings
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(D_CFLAGS) -c -o $@ $<

$(B)/rich/handlers/status/page.o: handlers/status/page.html

$(B)/handlers/status: $(filter $(B)/rich/handlers/status%,$(RICH_OBJ)) $(TLIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(D_LDFLAGS) -o $@ $^ $(HTTP_LIBS)

$(filter-out $(RICH_PROGS),$(HANDLERS)): $(B)/handlers/%: $(B)/static/handlers/%.o $(HLIB)
	$(call say,LINK,$@)
	$(Q)$(HCC) $(H_STATIC) -o $@ $^

$(TLIB): $(TLIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# ---------------------------------------------------------------- dependencies, Debian packages by name
DEPS_BUILD := gcc libc6-dev pkg-config libevent-dev libjansson-dev libncurses-dev uthash-dev musl-tools
DEPS_TEST  := libcmocka-dev python3-pytest python3-pytest-xdist python3-jsonschema python3-pyte mandoc \
              netcat-openbsd curl perl git rsync openssh-server openssh-client haproxy shellcheck clang iproute2 \
              netbase strace tftpd-hpa tftp-hpa fcgiwrap libfcgi-bin python3-prometheus-client
# Programs that people run from inetd, and their clients; the second list is unpacked, not installed.
DEPS_WORLD := finger inetutils-telnet tftp-hpa busybox cvs curl openssl fortune-mod fortunes-min \
              libkrb5-3 libwrap0 iproute2
WORLD      := fingerd inetutils-telnetd tftpd-hpa micro-httpd nullidentd xinetd openbsd-inetd inetutils-inetd
# A real browser and a real Prometheus, for check-status; the second is unpacked, not installed.
DEPS_STATUS := chromium chromium-driver fonts-dejavu-core
# The other processors of PORTS, for check-ports: compilers, C libraries, and what runs their programs.
DEPS_PORTS := gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross \
              gcc-arm-linux-gnueabihf libc6-dev-armhf-cross gcc-i686-linux-gnu libc6-dev-i386-cross qemu-user
DEPS_LINT  := clang-tidy clang-format cppcheck gcovr
APT_GET    := $(if $(filter 0,$(shell id -u)),,sudo )apt-get

# $(call need,PACKAGES): install those that are missing; nothing, and no root, when all are there.
define need
	@missing=$$(for p in $(1); do dpkg-query -W -f='$${db:Status-Abbrev}' $$p 2>/dev/null | grep -q '^ii' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "installing:" $$missing; \
		$(APT_GET) update -q && DEBIAN_FRONTEND=noninteractive $(APT_GET) install -y -q --no-install-recommends $$missing; \
	fi
endef

.PHONY: deps deps-build deps-lint deps-world deps-status deps-ports
deps-build:
	$(call need,$(DEPS_BUILD))
deps: ## install what build and tests need (Debian packages, sudo only when not root)
	$(call need,$(DEPS_BUILD) $(DEPS_TEST))
deps-world: deps ## and what check-world needs
	$(call need,$(DEPS_WORLD))
	sh tests/world/fetch.sh build/world $(WORLD)
deps-status: deps ## and what check-status needs
	$(call need,$(DEPS_STATUS))
	sh tests/world/fetch.sh build/world prometheus
deps-ports: deps-build ## and what check-ports needs
	$(call need,$(DEPS_PORTS))
deps-lint: deps
	$(call need,$(DEPS_LINT))

# ---------------------------------------------------------------- run
# What the dependencies give is seen only by a make that starts after they are installed.
# Only for root, who has to say whom handlers run as: nobody, if nobody can reach this folder.
AS_USER = $(if $(filter 0,$(shell id -u)),-o user=$(shell setpriv --reuid=65534 --regid=65534 \
	--clear-groups test -x $(CURDIR)/$(B)/handlers/echo -a -r $(CURDIR)/etc/flag.txt && echo nobody || echo root))

.PHONY: run serve
run: deps-build ## install what is missing, build, serve etc/services.json in the foreground
	@$(MAKE) --no-print-directory -j$(CORES) all
	@$(MAKE) --no-print-directory serve
serve: all
	@echo
	@echo "superd serves etc/services.json; Ctrl-C stops it.  In another terminal, try:"
	@echo "    nc localhost 7000              # echo: type something"
	@echo "    curl localhost:8080/           # static files"
	@echo "    curl localhost:8081/flag       # the flag"
	@echo "    nc localhost 7002              # what a handler is given: its descriptors, peer, identity"
	@echo "or look at superd itself: http://localhost:7070/"
	@echo
	@PATH="$(CURDIR)/$(B)/handlers:$$PATH" exec $(B)/superd -v -c etc/services.json $(AS_USER)

# ---------------------------------------------------------------- tests
.PHONY: tests check check-all layers unit replay e2e asan cov fuzz
check: deps ## the same set-up, then every test, plain and under sanitizers
	@$(MAKE) --no-print-directory check-all
check-all: layers man-lint
	@$(MAKE) --no-print-directory FLAVOR=asan -j$(CORES) all tests
	@$(MAKE) --no-print-directory FLAVOR=asan unit replay
	@$(MAKE) --no-print-directory FLAVOR=asan e2e
	@$(MAKE) --no-print-directory -j$(CORES) all
	@$(MAKE) --no-print-directory FLAVOR=release e2e

layers: ## the rule of the layers: base < model < os < config < run
	sh tests/layers.sh

$(B)/unit/%: tests/unit/%.c $(LIB) $(TLIB) $(B)/settings
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(D_CFLAGS) -MF $@.d -o $@ $< $(LIB) $(TLIB) $(D_LDFLAGS) $(DEP_LIBS) -lcmocka

tests: $(UNITS) $(REPLAYS)
unit: $(UNITS) ## unit tests of this flavour
	@set -e; for t in $(UNITS); do $$t; done

$(B)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(LIB) $(TLIB) $(B)/settings
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(D_CFLAGS) -MF $@.d -o $@ $< tests/fuzz/replay.c $(LIB) $(TLIB) $(D_LDFLAGS) $(DEP_LIBS)

replay: $(REPLAYS) ## run the fuzzers' corpora once
	@set -e; for t in $(REPLAYS); do $$t tests/fuzz/corpus/$$(basename $$t)/*; done

# $(call pytest,FILES,VARIABLES): tests of this flavour, several at once.
pytest = $(2) sh tests/e2e/run.sh $(PYTEST) $(FLAVOR) $(JOBS) $(1) $(PYTEST_ARGS)

e2e: all ## end-to-end tests of this flavour
	$(call pytest,tests/e2e)

.PHONY: check-world
check-world: deps-world all ## what people run from inetd, each with its real client; inetd and xinetd beside superd
	$(call pytest,tests/e2e/test_world.py,WORLD=complete)

.PHONY: check-status
check-status: deps-status all ## the status page in a real browser, its metrics in a real Prometheus
	$(call pytest,tests/e2e/test_status_outside.py,STATUS=complete)

# What needs no library but libc, for the processors that os/raw.h has assembly for.
PORTS    := aarch64-linux-gnu riscv64-linux-gnu arm-linux-gnueabihf i686-linux-gnu
QEMU      = qemu-$(patsubst i686,i386,$(firstword $(subst -, ,$(PORT))))
PORT_OBJ := $(filter $(B)/daemon/base/% $(B)/daemon/model/% $(B)/daemon/os/%,$(LIB_OBJ))
.PHONY: check-ports port
check-ports: deps-ports ## other processors: compile what needs libc only, run the raw system calls there
	@set -e; for p in $(PORTS); do \
		$(MAKE) --no-print-directory -j$(CORES) FLAVOR=$$p PORT=$$p CC=$$p-gcc HCC=$$p-gcc \
			AR=$$p-ar CPPFLAGS=-Werror port; \
	done
port: $(B)/ports $(filter-out $(RICH_PROGS),$(HANDLERS))
	$(QEMU) $(B)/ports
	[ "$$(echo hello | $(QEMU) $(B)/handlers/echo)" = hello ]
# Static: under qemu-i386 of Debian 12 the child of a program that is not hangs in libc's fork.
$(B)/ports: tests/ports/ports.c $(PORT_OBJ) $(B)/settings
	$(call say,LINK,$@)
	$(Q)$(CC) $(D_CFLAGS) -MF $@.d -o $@ $< $(PORT_OBJ) $(D_LDFLAGS) -static -no-pie

asan: ## every test under address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory FLAVOR=asan unit replay e2e

cov: ## line coverage of the unit and end-to-end tests
	@$(MAKE) --no-print-directory deps-lint
	rm -rf build/cov
	@$(MAKE) --no-print-directory FLAVOR=cov unit e2e
	@# Children share superd's counters until their exec, so gcov finds a branch taken -5 times.
	gcovr -r . --object-directory build/cov -e tests --gcov-ignore-parse-errors \
		--print-summary --html-details build/cov/report.html

FUZZ_SECONDS ?= 60
$(B)/fuzz/%: tests/fuzz/%.c $(LIB_SRC) $(HCOMMON_SRC)
	@mkdir -p $(@D)
	$(CLANG) -g -O1 -fsanitize=fuzzer,address,undefined $(DEFS) $(DEP_CFLAGS) -I. -o $@ $^ $(DEP_LIBS)

fuzz: $(FUZZERS) ## fuzz each parser for FUZZ_SECONDS; new inputs go to build/
	@set -e; for f in $(FUZZERS); do n=$$(basename $$f); mkdir -p build/corpus/$$n; \
		d=tests/fuzz/$$n.dict; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=5 $$( [ -f $$d ] && echo -dict=$$d ) \
			build/corpus/$$n tests/fuzz/corpus/$$n; done

# ---------------------------------------------------------------- speed
.PHONY: bench bench-peers
bench: all ## superd beside the bare loop and the installed peers; BENCH_ARGS="main --rounds 8"
	/usr/bin/python3 tests/bench/bench.py $(BENCH_ARGS)
bench-peers: ## fetch and build the peers to compare with, into build/peers
	sh tests/bench/peers.sh build/peers

# ---------------------------------------------------------------- lint
.PHONY: lint man-lint schema
# cppcheck must know the macros that loops are made of.
QUEUE_H = $(shell echo '#include <sys/queue.h>' | $(CC) -E -x c - | sed -n 's/^# 1 "\(.*queue\.h\)".*/\1/p' | head -1)
lint: deps-lint man-lint layers ## clang-tidy, cppcheck, shellcheck, mandoc, layers, format
	clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem \
		--enable=warning,portability,performance --library=gnu --include=/usr/include/uthash.h \
		--include=/usr/include/jansson.h --include=$(QUEUE_H) \
		--suppress='*:/usr/include/*' -I. $(DEFS) -DSUPERD_DATA_DIR='""' daemon handlers
	clang-tidy --quiet $(LIB_SRC) $(PROG_SRC) $(CTL_SRC) $(sort $(HANDLER_SRC) $(RICH_SRC)) $(HCOMMON_SRC) \
		-- -std=gnu11 $(DEFS) $(DEP_CFLAGS) -I. \
		-DSUPERD_DATA_DIR='""'
	shellcheck -S warning -s sh tests/layers.sh tests/e2e/run.sh tests/bench/peers.sh tests/world/fetch.sh \
		tests/e2e/systemd/start.sh
	shellcheck .ci/run contrib/completion/superctl.bash

man-lint:
	@out=$$(mandoc -T lint -W warning $(MAN_SRC) 2>&1); [ -z "$$out" ] || { echo "$$out"; exit 1; }
	@echo "man pages: ok"

schema: all ## write etc/services.schema.json anew from the table of keys
	$(B)/superd --schema > etc/services.schema.json

# ---------------------------------------------------------------- installing
.PHONY: install install-units uninstall dist
MAN_SECTIONS := $(sort $(foreach m,$(MAN_SRC),$(subst .,,$(suffix $(m)))))

install: all install-units ## into DESTDIR and PREFIX; an existing configuration is left alone
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(HANDLERDIR) $(DESTDIR)$(DATADIR) \
		$(DESTDIR)$(BINDIR) $(DESTDIR)$(IMPORTDIR) $(DESTDIR)$(CONFDIR)/services.d \
		$(foreach n,$(MAN_SECTIONS),$(DESTDIR)$(MANDIR)/man$(n))
	$(INSTALL) -m 755 $(PROGS) $(DESTDIR)$(SBINDIR)/
	$(INSTALL) -m 755 $(HANDLERS) $(DESTDIR)$(HANDLERDIR)/
	$(INSTALL) -m 644 contrib/import/*.py $(DESTDIR)$(IMPORTDIR)/
	$(INSTALL) -m 755 contrib/import/superd-import $(DESTDIR)$(IMPORTDIR)/
	ln -srf $(DESTDIR)$(IMPORTDIR)/superd-import $(DESTDIR)$(BINDIR)/superd-import
	$(INSTALL) -m 644 etc/mime.types etc/services.schema.json $(DESTDIR)$(DATADIR)/
	$(INSTALL) -d $(DESTDIR)$(DATADIR)/systemd
	$(INSTALL) -m 644 contrib/systemd/*.conf contrib/systemd/superd.socket $(DESTDIR)$(DATADIR)/systemd/
	$(INSTALL) -d $(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR)
	$(INSTALL) -m 644 contrib/completion/superctl.bash $(DESTDIR)$(BASHCOMPDIR)/superctl
	$(INSTALL) -m 644 contrib/completion/_superctl $(DESTDIR)$(ZSHCOMPDIR)/
	for m in $(MAN_SRC); do $(INSTALL) -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/; done
	[ -e $(DESTDIR)$(CONFDIR)/services.json ] || \
		$(INSTALL) -m 644 etc/installed.json $(DESTDIR)$(CONFDIR)/services.json
	for f in etc/services.d/*.json; do \
		[ -e $(DESTDIR)$(CONFDIR)/services.d/$${f##*/} ] || \
			$(INSTALL) -m 644 $$f $(DESTDIR)$(CONFDIR)/services.d/; done

install-units: ## systemd's unit alone, with these paths
	$(INSTALL) -d $(DESTDIR)$(UNITDIR)
	sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@CONFDIR@|$(CONFDIR)|g' contrib/systemd/superd.service.in \
		> $(DESTDIR)$(UNITDIR)/superd.service
	chmod 644 $(DESTDIR)$(UNITDIR)/superd.service

uninstall: ## take away what install brought, but for the configuration
	rm -f $(PROGS:$(B)/%=$(DESTDIR)$(SBINDIR)/%)
	rm -f $(DESTDIR)$(BINDIR)/superd-import $(DESTDIR)$(UNITDIR)/superd.service
	rm -f $(DESTDIR)$(BASHCOMPDIR)/superctl $(DESTDIR)$(ZSHCOMPDIR)/_superctl
	rm -rf $(DESTDIR)$(HANDLERDIR) $(DESTDIR)$(IMPORTDIR) $(DESTDIR)$(DATADIR)
	for m in $(MAN_SRC); do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done

dist: ## superd-VERSION.tar.gz of what git tracks
	git archive --prefix=superd-$(VERSION)/ -o superd-$(VERSION).tar.gz HEAD

# ---------------------------------------------------------------- the rest
.PHONY: clean help fmt
fmt: ## let clang-format decide
	clang-format -i $$(git ls-files '*.c' '*.h')
clean: ## remove build/
	rm -rf build
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

-include $(LIB_OBJ:.o=.d) $(CTL_OBJ:.o=.d) $(HLIB_OBJ:.o=.d) $(TLIB_OBJ:.o=.d) $(PROG_SRC:%.c=$(B)/%.d) \
         $(HANDLER_SRC:%.c=$(B)/static/%.d) $(RICH_OBJ:.o=.d) $(UNITS:%=%.d) $(REPLAYS:%=%.d) $(B)/ports.d
