#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What crosses the kernel boundary looks the same from both sides, and changes only on purpose.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
}

@test "every structure and enumeration of abi.h is in the layout" {
	tests/checks/abi.sh print >"$BATS_TEST_TMPDIR/layout"
	mapfile -t types < <(grep -oE '^(struct|enum) steer_[a-z0-9_]+ \{' include/steer/abi.h)
	((${#types[@]} > 10))
	for type in "${types[@]}"; do
		grep -qE "^${type% \{} [0-9]+$" "$BATS_TEST_TMPDIR/layout" ||
			{ echo "missing: $type"; false; }
	done
}

@test "the compilers of both sides lay abi.h out alike" {
	tests/checks/abi.sh asserts >"$BATS_TEST_TMPDIR/abi.c"
	(($(grep -c '^_Static_assert' "$BATS_TEST_TMPDIR/abi.c") > 50))
	for compiler in "${CC:-gcc}" "${CLANG:-clang}"; do
		"$compiler" -std=gnu11 -Iinclude -fsyntax-only "$BATS_TEST_TMPDIR/abi.c"
	done
}

@test "the layout is the recorded one" {
	tests/checks/abi.sh print >"$BATS_TEST_TMPDIR/layout"
	diff -U0 tests/checks/abi.golden "$BATS_TEST_TMPDIR/layout" || {
		echo "include/steer/abi.h changed. Raise STEER_ABI in it, so that a program and a"
		echo "steerctl of different layouts refuse each other, then record the new layout:"
		echo "    tests/checks/abi.sh update"
		false
	}
}

@test "the layout check itself is clean shell" {
	shellcheck tests/checks/abi.sh
}
