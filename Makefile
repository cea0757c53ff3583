# SPDX-License-Identifier: MIT
# make [all] | demo | check | bench | lint | format | install | clean
# B: build directory. SAN=1: ASan and UBSan. CC: gcc or clang.
B       ?= build
PREFIX  ?= /usr/local
PYTHON  ?= /usr/bin/python3
CFLAGS  ?= -O2 -g
# make V=1 shows the commands
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo '  $(1) $@')
VERSION := 0.1.0

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ALL_C  := -std=gnu11 $(WARN) $(if $(CI),-Werror) -fno-common -D_GNU_SOURCE -DOOMLAB_VERSION='"$(VERSION)"' -I. -MMD -MP
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN_C  := $(if $(SAN),$(SAN_FLAGS))
DYN    := -lcgroup -lfyaml -ljansson -larchive -lkmod -lxxhash -lnuma

LIB_C    := $(wildcard lib/*.c)
CORE_C   := $(wildcard cgroups/*.c harness/engine/*.c harness/oracle/*.c)
HOST_C   := $(wildcard harness/*.c harness/scenario/*.c harness/places/*.c harness/output/*.c) $(filter-out guest/agent.c guest/park.c guest/root.c,$(wildcard guest/*.c)) guest/killers/minfree.c
STRESS_C := $(wildcard stressors/*.c)
UNIT_C   := $(wildcard tests/unit/*_test.c)
obj       = $(patsubst %.c,$(B)/obj/%.o,$(1))
UNITS    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_C))

# 32-bit guests need the same two programs in 32 bits; ci/deps gets what those are built with.
I386      ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/oomlab/i386
HAVE_I386 := $(and $(wildcard /usr/lib32/libc.a),$(wildcard $(I386)/lib/libnuma.a))
I386_C    := -m32 -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -isystem $(I386)/include

all: $(B)/oomlab $(B)/oomlab-stress $(B)/oomlab-stress-malloc $(B)/oomlab-agent $(B)/oomlab-lmk $(B)/oomlab-oomd $(B)/oomlab-lockstep.so $(if $(HAVE_I386),i386,no-i386)

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_C) $(SAN_C) $(CFLAGS) -c -o $@ $<

$(B)/lib.a: $(call obj,$(LIB_C))
	@rm -f $@; ar rcs $@ $^

# All of the harness but its main(), so that unit tests link what ships.
$(B)/harness.a: $(call obj,$(CORE_C) $(filter-out harness/main.c,$(HOST_C)))
	@rm -f $@; ar rcs $@ $^

$(B)/oomlab: $(call obj,harness/main.c) $(B)/harness.a $(B)/lib.a
	$(call say,LD)
	$(Q)$(CC) $(SAN_C) $(LDFLAGS) -o $@ $^ $(DYN)

# Static programs go into guests; the sanitizers cannot be linked statically, so they stay out of them.
$(B)/static/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_C) -ffunction-sections -fdata-sections $(CFLAGS) -c -o $@ $<

static = $(patsubst %.c,$(B)/static/%.o,$(1))

$(B)/libstatic.a: $(call static,$(LIB_C))
	@rm -f $@; ar rcs $@ $^

# Of libnuma the system calls alone. The rest of it would come by one function that nobody calls, and at every program's
# start it reads /sys and allocates; without that function's need it stays out.
NUMA_CALLS := -Wl,--defsym=numa_bitmask_nbytes=0 -lnuma

$(B)/oomlab-stress: $(call static,$(STRESS_C)) $(B)/libstatic.a
	$(call say,LD)
	$(Q)$(CC) -static -Wl,--gc-sections $(LDFLAGS) -o $@ $^ $(NUMA_CALLS)

# The same stressors with a malloc that a library may stand in for: nothing else of it is dynamic but the C library.
$(B)/oomlab-stress-malloc: $(call static,$(STRESS_C)) $(B)/libstatic.a
	$(call say,LD)
	$(Q)$(CC) -pie -Wl,--gc-sections $(LDFLAGS) -o $@ $^ $(NUMA_CALLS:-lnuma=-l:libnuma.a)

# Run in guests beside the programs that they watch.
$(B)/oomlab-lmk: $(call static,guest/killers/lmk.c guest/killers/minfree.c) $(B)/libstatic.a
	$(call say,LD)
	$(Q)$(CC) -static -Wl,--gc-sections $(LDFLAGS) -o $@ $^

$(B)/oomlab-oomd: $(call static,guest/killers/oomd.c) $(B)/libstatic.a
	$(call say,LD)
	$(Q)$(CC) -static -Wl,--gc-sections $(LDFLAGS) -o $@ $^

# Preloaded into QEMU, which knows nothing of sanitizers.
$(B)/oomlab-lockstep.so: harness/places/lockstep/lockstep.c Makefile
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_C) $(CFLAGS) -fPIC -shared $(LDFLAGS) -o $@ $<

# libcgroup reads user names in functions that are never called here; the linker warns about them all the same.
# Its --no-warnings would let undefined symbols pass too, so what it says is shown if it fails.
$(B)/oomlab-agent: $(call static,guest/agent.c guest/devices.c guest/park.c guest/root.c guest/tune.c $(CORE_C)) $(B)/libstatic.a
	$(call say,LD)
	$(Q)$(CC) -static -Wl,--gc-sections $(LDFLAGS) -o $@ $^ -lcgroup -ljansson $(NUMA_CALLS) 2>$@.said || \
		{ cat $@.said >&2; rm -f $@ $@.said; exit 1; }
	@rm -f $@.said

i386:
	$(Q)$(MAKE) $(if $(V),,-s) --no-print-directory B=$(B)/i386 CFLAGS='$(CFLAGS) $(I386_C)' \
		LDFLAGS='$(LDFLAGS) -m32 -L$(I386)/lib' $(B)/i386/oomlab-stress $(B)/i386/oomlab-agent

no-i386:
	@echo 'make: programs for 32-bit guests are left out; ci/deps gets what they are built with'

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(B)/harness.a $(B)/lib.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(SAN_C) $(LDFLAGS) -o $@ $^ $(DYN) -lcmocka

units: $(UNITS)

demo check:
	./ci/$@

# Beside oomlab, where they find its data.
$(B)/bench-%: $(B)/obj/bench/%.o $(B)/harness.a $(B)/lib.a
	$(call say,LD)
	$(Q)$(CC) $(SAN_C) $(LDFLAGS) -o $@ $^ $(DYN)

bench: all $(B)/bench-recorder $(B)/bench-kmsg_latency $(B)/bench-guest_start $(B)/bench-fill_bare
	$(PYTHON) bench/run --build $(B)
	$(PYTHON) bench/guests --build $(B)
	$(PYTHON) bench/fill --build $(B)
	$(PYTHON) bench/oracle --build $(B)

lint:
	./ci/lint

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/oomlab $(DESTDIR)$(PREFIX)/share/oomlab
	install $(B)/oomlab $(DESTDIR)$(PREFIX)/bin
	install $(addprefix $(B)/,oomlab-stress oomlab-stress-malloc oomlab-agent oomlab-lmk oomlab-oomd oomlab-lockstep.so) $(DESTDIR)$(PREFIX)/libexec/oomlab
	install $(addprefix guest/kernels/,fetch fetch-source fetch-packages build-kernel apt.sh) $(DESTDIR)$(PREFIX)/libexec/oomlab
ifneq ($(HAVE_I386),)
	install -d $(DESTDIR)$(PREFIX)/libexec/oomlab/i386
	install $(B)/i386/oomlab-stress $(B)/i386/oomlab-agent $(DESTDIR)$(PREFIX)/libexec/oomlab/i386
endif
	install -d $(DESTDIR)$(PREFIX)/share/oomlab/kernels $(DESTDIR)$(PREFIX)/share/oomlab/kconfig
	install -m 644 guest/kconfig/*.config $(DESTDIR)$(PREFIX)/share/oomlab/kconfig
	cp -r scenarios $(DESTDIR)$(PREFIX)/share/oomlab
	install -d $(DESTDIR)$(PREFIX)/share/oomlab/cgroups/profiles
	install -m 644 cgroups/profiles/*.yaml $(DESTDIR)$(PREFIX)/share/oomlab/cgroups/profiles
	install -m 644 guest/kernels/table.tsv guest/kernels/options.tsv $(DESTDIR)$(PREFIX)/share/oomlab/kernels

clean:
	rm -rf $(B)

.PHONY: all i386 no-i386 units demo check bench lint format install clean
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
