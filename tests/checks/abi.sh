#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The layout of include/steer/abi.h: sizes, offsets and enum values, from the BTF that clang writes
# for the BPF program.
#   abi.sh print     to standard output
#   abi.sh asserts   the same as C assertions, for any other compiler
#   abi.sh update    into abi.golden
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."
header=include/steer/abi.h
golden=tests/checks/abi.golden
clang=${CLANG:-clang}
bpftool=${BPFTOOL:-$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v bpftool)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A variable of every type of the header, so that none is left out as unused.
variables() {
	echo '#include "steer/abi.h"'
	sed -nE 's/^(struct|enum) (steer_[a-z0-9_]+) \{.*/\1 \2 use_\2;/p' "$header"
}

# bpftool's "[4] STRUCT 'steer_page' size=16384 vlen=1" and "<tab>'record' type_id=9 bits_offset=0"
# become "struct steer_page 16384" and "steer_page.record 0", types in order of their names.
layout() {
	variables >"$work/abi.c"
	"$clang" -O2 -g -target bpf -Iinclude -I"/usr/include/$("${CC:-gcc}" -print-multiarch)" \
		-c "$work/abi.c" -o "$work/abi.o"
	printf 'STEER_ABI %s\n' "$(sed -n 's/^#define STEER_ABI \([0-9]*\)$/\1/p' "$header")"
	"$bpftool" btf dump file "$work/abi.o" format raw | tr -d "'" | awk '
		/^\[/ { type = "" }
		/^\[.*(STRUCT|ENUM) steer_/ {
			type = $3
			match($0, /size=[0-9]+/)
			size = substr($0, RSTART + 5, RLENGTH - 5)
			printf "%s 0 %s %s %s\n", type, tolower($2), type, size
			next
		}
		type && match($0, /bits_offset=[0-9]+/) {
			bits = substr($0, RSTART + 12, RLENGTH - 12)
			printf "%s %d %s.%s %d\n", type, ++line, type, $1, bits / 8
		}
		type && match($0, /val=-?[0-9]+/) {
			printf "%s %d %s.%s %s\n", type, ++line, type, $1,
				substr($0, RSTART + 4, RLENGTH - 4)
		}' | sort -k1,1 -k2,2n | cut -d' ' -f3-
}

asserts() {
	variables
	echo '#include <stddef.h>'
	layout | awk '
		$1 == "struct" || $1 == "enum" {
			kind = $1
			printf "_Static_assert(sizeof(%s %s) == %s, \"size of %s\");\n", $1, $2, $3, $2
			next
		}
		split($1, name, ".") == 2 && name[2] != "(anon)" {
			what = kind == "enum" ? name[2] \
				: "offsetof(struct " name[1] ", " name[2] ")"
			printf "_Static_assert(%s == %s, \"%s\");\n", what, $2, $1
		}'
}

case ${1:-} in
print) layout ;;
asserts) asserts ;;
update)
	layout >"$work/golden"
	if ! cmp -s "$work/golden" "$golden" &&
		[[ $(head -n 1 "$work/golden") == "$(head -n 1 "$golden" 2>/dev/null)" ]]; then
		echo "the layout changed and STEER_ABI did not: raise it in $header, unless" \
			"nothing with this number was ever installed" >&2
	fi
	cp "$work/golden" "$golden"
	;;
*)
	echo "usage: $0 print|asserts|update" >&2
	exit 2
	;;
esac
