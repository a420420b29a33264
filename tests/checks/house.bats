#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Rules of the house that a machine can check.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
}

# Files that are ours, tracked or about to be.
ours() {
	git ls-files --cached --others --exclude-standard -- "$@"
}

@test "every source file has one SPDX line" {
	bad=0
	while read -r file; do
		[[ $(head -n 5 "$file" | grep -c 'SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause') == 1 ]] ||
			{ echo "$file"; bad=1; }
	done < <(ours '*.c' '*.h' '*.bats' 'scripts/*' Makefile)
	((bad == 0))
}

@test "includes run one way: base <- core <- ctl, daemon; bpf sees only include" {
	run ! grep -nE '^#include "(core|ctl|daemon)/' user/base/*.[ch]
	run ! grep -nE '^#include "(ctl|daemon)/' user/core/*.[ch]
	run ! grep -nE '^#include "(base|core|ctl|daemon)/' bpf/*.[ch]
}

@test "core never prints or exits" {
	run ! grep -nE '\b(printf|puts|fputs|perror|_?exit|abort)\(|\b(stdout|stderr)\b' user/core/*.c
}

@test "no unbounded string functions, no sleeping" {
	run ! grep -nE '\b(atoi|atol|strcpy|strcat|sprintf|gets|sleep|usleep)\(' user/*/*.c
}

@test "shell scripts are clean" {
	shellcheck -x scripts/* tests/run .ci/run
}

@test "the C sources are formatted" {
	ours '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

# Invariant: a packet costs array reads only and reads no clock. 1 is bpf_map_lookup_elem, which the
# JIT inlines for arrays and arrays of maps; 23 is bpf_redirect; -1 leads from a touched slot to
# choose_of_touched(). The timer is not the packet path.
@test "the packet path calls nothing but array look-ups and redirect" {
	object=${STEER_BUILD:-build}/steer.bpf.o
	calls=$({ llvm-objdump -d -j xdp "$object"
		llvm-objdump -d --disassemble-symbols=choose_of_touched "$object"; } |
		grep -oE '\bcall .*' | sort -u)
	[[ $calls == $'call -1\ncall 1\ncall 23' ]] || { echo "$calls"; false; }
	run ! grep -nE 'BPF_MAP_TYPE_' <(grep -hvE 'BPF_MAP_TYPE_(PERCPU_)?ARRAY(_OF_MAPS)?\)' bpf/*.h)
}
