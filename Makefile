# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# steer: everything is built under build/. Targets: all check check-program check-netns check-all
# bench format tidy install clean. Options: V=1 (show commands), SAN=1 (sanitizers), WERROR=1.

.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules

BUILD  := build$(if $(SAN),/san)
CC     ?= gcc
CLANG  ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PREFIX ?= /usr/local
Q      := $(if $(V),,@)

# ---- what must be there -----------------------------------------------------------------------
need_tool = $(if $(shell command -v $(1)),,$(error $(1) is missing: apt-get install $(2) (or run scripts/setup)))
need_lib  = $(if $(shell pkg-config --exists $(1) && echo yes),,$(error library $(1) is missing: apt-get install $(2) (or run scripts/setup)))
ifeq ($(filter clean format,$(MAKECMDGOALS)),)
$(call need_tool,$(CC),gcc)
$(call need_tool,$(CLANG),clang)
$(call need_tool,pkg-config,pkg-config)
$(call need_tool,$(BPFTOOL),bpftool)
$(call need_lib,libbpf,libbpf-dev)
$(call need_lib,yaml-0.1,libyaml-dev)
$(call need_lib,jansson,libjansson-dev)
$(call need_lib,smartcols,libsmartcols-dev)
$(call need_lib,libmnl,libmnl-dev)
endif
ifneq ($(filter tests check check-%,$(MAKECMDGOALS)),)
$(call need_lib,cmocka,libcmocka-dev)
$(call need_tool,bats,bats)
endif

LIBS    := libbpf yaml-0.1 jansson smartcols libmnl
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
# What UBSan finds ends the program, so that a test fails.
SANFLAGS := -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined \
	    -fno-omit-frame-pointer
CFLAGS  += -std=gnu11 -O2 -g $(WARN) $(if $(SAN),$(SANFLAGS)) \
	   -D_GNU_SOURCE -Iinclude -Iuser -Itests -I$(BUILD) $(shell pkg-config --cflags $(LIBS))
LDLIBS  := $(shell pkg-config --libs $(LIBS))
ARCHINC := /usr/include/$(shell $(CC) -print-multiarch)
BPFFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra $(if $(WERROR),-Werror) -Iinclude -I$(ARCHINC)

# ---- sources -> objects -----------------------------------------------------------------------
LIB_SRC   := $(wildcard user/base/*.c user/core/*.c)
CTL_SRC   := $(wildcard user/ctl/*.c)
UNIT_SRC  := $(wildcard tests/unit/test_*.c)
PROG_SRC  := $(wildcard tests/program/test_*.c)
BENCH_SRC := $(filter-out %.bpf.c,$(wildcard tests/bench/*.c))
HARN_SRC  := $(filter-out %.bpf.c,$(wildcard tests/harness/*.c))
TOOL_SRC  := $(wildcard tests/harness/tools/*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

BPF_OBJ := $(patsubst bpf/%.bpf.c,$(BUILD)/%.bpf.o,$(wildcard bpf/*.bpf.c))
SKELS   := $(BPF_OBJ:.bpf.o=.skel.h)
TEST_BPF := $(patsubst %.bpf.c,$(BUILD)/%.bpf.o,$(wildcard tests/harness/*.bpf.c))
BENCH_SKELS := $(patsubst %.bpf.c,$(BUILD)/%.skel.h,$(wildcard tests/bench/*.bpf.c))

UNIT  := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
PROG  := $(patsubst %.c,$(BUILD)/%,$(PROG_SRC))
BENCH := $(if $(BENCH_SRC),$(BUILD)/steer-bench)
TOOLS := $(patsubst tests/harness/tools/%.c,$(BUILD)/tools/%,$(TOOL_SRC))
CTL   := $(if $(CTL_SRC),$(BUILD)/steerctl)

.PHONY: all tests check check-program check-netns check-all bench format tidy install clean
all: $(BPF_OBJ) $(CTL)
tests: all $(UNIT) $(PROG) $(BENCH) $(TOOLS)

$(BUILD)/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  BPF   $<")
	$(Q)$(CLANG) $(BPFFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/tests/%.bpf.o: tests/%.bpf.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  BPF   $<")
	$(Q)$(CLANG) $(BPFFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(if $(V),,@echo "  SKEL  $@")
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@

$(BUILD)/%.o: %.c | $(SKELS)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libsteer.a: $(call obj,$(LIB_SRC))
	$(if $(V),,@echo "  AR    $@")
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/steerctl: $(call obj,$(CTL_SRC)) $(BUILD)/libsteer.a
	$(if $(V),,@)$(if $(V),,echo "  LINK  $@" &&) $(CC) $(CFLAGS) $^ $(LDLIBS) -o $@

$(UNIT) $(PROG): $(BUILD)/%: $(BUILD)/%.o $(call obj,$(HARN_SRC)) $(BUILD)/libsteer.a $(TEST_BPF)
	$(if $(V),,@)$(if $(V),,echo "  LINK  $@" &&) $(CC) $(CFLAGS) $(filter-out %.bpf.o,$^) -lcmocka $(LDLIBS) -o $@

$(call obj,$(BENCH_SRC)): | $(BENCH_SKELS)
$(BUILD)/steer-bench: $(call obj,$(BENCH_SRC)) $(call obj,$(HARN_SRC)) $(BUILD)/libsteer.a
	$(if $(V),,@)$(if $(V),,echo "  LINK  $@" &&) $(CC) $(CFLAGS) $^ -lcmocka $(LDLIBS) -o $@

$(BUILD)/tests/harness/tools/flood.o: | $(BUILD)/tests/harness/flood.skel.h
$(BUILD)/tools/flood: TOOL_LIBS := $(shell pkg-config --libs libbpf)
$(BUILD)/tools/%: $(BUILD)/tests/harness/tools/%.o
	@mkdir -p $(@D)
	$(if $(V),,@)$(if $(V),,echo "  LINK  $@" &&) $(CC) $(CFLAGS) $^ $(TOOL_LIBS) -o $@

# ---- proof ------------------------------------------------------------------------------------
check: tests
	$(Q)STEER_BUILD=$(BUILD) tests/run unit checks
check-program: tests
	$(Q)STEER_BUILD=$(BUILD) tests/run program
check-netns: tests
	$(Q)STEER_BUILD=$(BUILD) tests/run netns
check-all: tests
	$(Q)STEER_BUILD=$(BUILD) tests/run unit checks program netns

bench: all $(BENCH)
	$(Q)$(BENCH) $(BENCH_ARGS)

FORMATTED = $(shell git ls-files '*.c' '*.h')
format:
	$(Q)clang-format -i $(FORMATTED)
tidy: $(SKELS)
	$(call need_tool,clang-tidy,clang-tidy)
	$(Q)printf '%s\n' $(LIB_SRC) $(CTL_SRC) | \
		xargs -P $(shell nproc) -n 4 sh -c 'clang-tidy --quiet "$$@" -- $(CFLAGS) 2>/dev/null' tidy

install: all
	install -D -m 0755 $(BUILD)/steerctl $(DESTDIR)$(PREFIX)/sbin/steerctl
	install -D -m 0644 user/ctl/steerctl.8 $(DESTDIR)$(PREFIX)/share/man/man8/steerctl.8
	install -D -m 0644 user/ctl/steerctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/steerctl

clean:
	$(Q)rm -rf build

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
