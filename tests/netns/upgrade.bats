#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# up, apply and down: adoption, upgrade in place, interfaces that come, go and belong to others.

bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.."
	export NET=upgrade$$ WORK
	WORK=$(mktemp -d /tmp/steer-test.XXXXXX)
	export STEER_STATE=$WORK/state STEER_RUN=$WORK/run PINS=/sys/fs/bpf/steer/$NET
	export STEER_BUILD=${STEER_BUILD:-build}
	ip netns add "$NET"
	on ip link set lo up
}

teardown_file() {
	ip netns del "$NET"
	rm -rf "$WORK"
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	plug_in edge0
	plug_in edge1
	on ip addr add 10.0.0.1/24 dev edge0
	config '[edge0]'
}

teardown() {
	cd "$BATS_TEST_DIRNAME/../.."
	steer --yes down || true
	on ip link del edge0
	on ip link del edge1 || true
	rm -rf "$STEER_STATE" "$WORK"/*.yaml
}

on() { nsenter --net="/run/netns/$NET" "$@"; }

plug_in() {
	on ip link add "$1" type veth peer name "peer${1#edge}"
	on ip link set "$1" up
	on ip link set "peer${1#edge}" up
}

# config INTERFACES [MORE FRONTENDS]: what the next command reads.
config() {
	export STEER_CONFIG=$WORK/steer.yaml
	cat >"$STEER_CONFIG" <<-TEXT
	interfaces: $1
	services:
	  shop:
	    frontends: [203.0.113.10:80/tcp${2:+, $2}]
	    pools:
	      blue: {backends: {blue-1: {address: 10.0.0.11, mac: "02:00:00:00:00:11"}}}
	    active: blue
	TEXT
}

steer() { on "$STEER_BUILD/steerctl" --instance "$NET" "$@"; }

# Id of the program on an interface, "" = none.
program() { on ip -j -d link show dev "$1" | jq -r '.[0].xdp.prog.id // empty'; }

mode() { on ip -j -d link show dev "$1" | jq -r '.[0].xdp.mode // 0'; }

revision() { steer --json status | jq .revision.after; }

# A program that is not ours, on an interface.
occupy() {
	printf '%s\n' '__attribute__((section("xdp"), used)) int guest(void *packet)' \
		'{ (void)packet; return 2; /* XDP_PASS */ }' \
		'__attribute__((section("license"), used)) char terms[] = "Dual BSD/GPL";' \
		>"$WORK/guest.bpf.c"
	clang -O2 -g -target bpf -c "$WORK/guest.bpf.c" -o "$WORK/guest.bpf.o"
	on ip link set "$1" xdpdrv obj "$WORK/guest.bpf.o" sec xdp
}

@test "up twice is once: the second loads nothing" {
	steer up
	id=$(program edge0)
	run -0 --separate-stderr steer up
	[[ $output == *"up already"* && -z $stderr ]]
	[[ $(program edge0) == "$id" ]]
}

@test "a running steerer whose program is another one gets this one in place" {
	steer up
	id=$(program edge0)
	rm "$PINS/identity"
	run -0 steer up
	[[ $output == *"replaced in place"* ]]
	[[ $(program edge0) != "$id" ]]
	steer verify
}

@test "up goes by what is in force and says that the file differs" {
	steer up
	config '[edge0, edge1]'
	run -0 steer up
	[[ $output == *"steerctl apply"* ]]
	[[ -z $(program edge1) ]]
}

@test "up that cannot read the journal leaves the running steerer as it is" {
	steer up
	id=$(program edge0)
	mv "$STEER_STATE/$NET/journal" "$WORK/kept"
	mkdir "$STEER_STATE/$NET/journal"
	run ! steer up
	[[ $(program edge0) == "$id" ]]
	rmdir "$STEER_STATE/$NET/journal"
	mv "$WORK/kept" "$STEER_STATE/$NET/journal"
	steer up
	steer verify
}

@test "apply attaches new interfaces, detaches removed ones, keeps the others" {
	steer up
	config '[edge0, edge1]' '203.0.113.10:53/udp'
	steer apply
	[[ $(program edge0) == "$(program edge1)" ]]
	steer verify
	config '[edge1]'
	run -3 steer --dry-run apply
	[[ $output == *", -edge0"* && -n $(program edge0) ]]
	steer apply
	[[ -z $(program edge0) && -n $(program edge1) ]]
	steer verify
}

@test "apply that changes nothing loads nothing" {
	steer up
	id=$(program edge0)
	run -0 steer apply
	[[ $output == *"nothing to apply"* && $(program edge0) == "$id" ]]
}

@test "somebody else's program is named and never replaced: up leaves nothing behind" {
	occupy edge1
	id=$(program edge1)
	config '[edge0, edge1]'
	run -1 steer up
	[[ $output == *"'guest' (id $id)"* ]]
	[[ -z $(program edge0) && $(program edge1) == "$id" && ! -e $PINS ]]
}

@test "somebody else's program stops apply, and what runs stays as it was" {
	steer up
	before=$(revision)
	occupy edge1
	id=$(program edge1)
	config '[edge0, edge1]' '"[2001:db8::10]:80/tcp"'
	run -1 steer apply
	[[ $output == *"'guest' (id $id)"* && $(program edge1) == "$id" ]]
	[[ $(revision) == "$before" && -n $(program edge0) ]]
	steer verify
}

@test "an interface that is missing is named: up leaves nothing behind" {
	config '[edge0, edge7]'
	run -1 steer up
	[[ $output == *"'edge7'"* && -z $(program edge0) && ! -e $PINS ]]
}

@test "an interface that vanishes is reported, commands go on, up repairs it" {
	config '[edge0, edge1]'
	steer up
	on ip link del edge1
	run -0 steer status
	[[ $output == *"edge1 detached"* ]]
	run -1 steer verify
	[[ $output == *edge1* ]]
	config '[edge0]' '203.0.113.10:81/tcp'
	run -3 steer --dry-run apply
	config '[edge0, edge1]'
	run -1 steer up
	[[ $output == *"'edge1' does not exist"* && -n $(program edge0) ]]
	plug_in edge1
	run -0 steer up
	[[ $output == *"edge1: was not attached"* ]]
	steer verify
	[[ $(program edge0) == "$(program edge1)" ]]
}

@test "a driver that refuses native mode: auto warns and goes generic, native fails and names the MTU" {
	on ip link set peer1 mtu 9000
	config '[edge0, {name: edge1, mode: native}]'
	run -12 steer up
	[[ $output == *edge1*MTU* && ! -e $PINS ]]
	config '[edge0, edge1]'
	run -0 steer up
	[[ $output == *"edge1: native XDP was refused"*MTU*generic* ]]
	[[ $(mode edge0) == 1 && $(mode edge1) == 2 ]]
	run -0 steer status
	[[ $output == *"edge1 generic"* ]]
}

@test "generic mode on demand warns of nothing, and apply changes the mode" {
	config '[{name: edge0, mode: generic}]'
	run -0 --separate-stderr steer up
	[[ -z $stderr && $(mode edge0) == 2 ]]
	config '[{name: edge0, mode: native}]'
	run -0 steer apply
	[[ $output == *"changed to native"* && $(mode edge0) == 1 ]]
	steer verify
}

@test "up from another network namespace refuses and breaks nothing" {
	steer up
	id=$(program edge0)
	run -1 "$STEER_BUILD/steerctl" --instance "$NET" up
	[[ $output == *"another network namespace"* && $(program edge0) == "$id" ]]
	steer verify
}

@test "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are enough" {
	run -0 with_only bpf net_admin perfmon
	[[ -n $(program edge0) ]]
}

@test "a missing capability is named" {
	run -13 with_only bpf net_admin
	[[ $output == *"lacks CAP_PERFMON"* ]]
	run -13 with_only bpf perfmon
	[[ $output == *"lacks CAP_NET_ADMIN"* ]]
	run -13 with_only net_admin perfmon
	[[ $output == *CAP_BPF* && ! -e $PINS ]]
}

with_only() {
	local set
	set=-all$(printf ',+%s' "$@")
	on setpriv --bounding-set="$set" --inh-caps="$set" \
		"$STEER_BUILD/steerctl" --instance "$NET" up
}

@test "down leaves no program, no link and no map; the state is kept; twice is once" {
	config '[edge0, edge1]'
	steer up
	id=$(program edge0)
	maps=$(bpftool -j prog show id "$id" | jq -r '.map_ids[]')
	[[ -n $maps ]]
	steer --yes down
	[[ ! -e $PINS && -z $(program edge0) && -z $(program edge1) ]]
	[[ -s $STEER_STATE/$NET/journal ]]
	gone prog "$id"
	for map in $maps; do
		gone map "$map"
	done
	run -0 steer --yes down
	[[ $output == *"not up"* ]]
}

# The kernel frees after a grace period.
gone() {
	for ((tries = 0; tries < 1000; tries++)); do
		bpftool "$1" show id "$2" >/dev/null 2>&1 || return 0
	done
	return 1
}

@test "down takes away what is half missing, and up says that it must" {
	steer up
	rm "$PINS/maps/page_objects" "$PINS/program"
	run -12 steer up
	[[ $output == *"steerctl down"* && -n $(program edge0) ]]
	steer --yes down
	[[ ! -e $PINS && -z $(program edge0) ]]
	steer up
	steer verify
}

@test "down and up again: the journal decides who gets what" {
	steer up
	before=$(revision)
	steer --yes down
	steer up
	(($(revision) == before + 1))
	steer verify
}

# killed_at CALL N COMMAND...: steer, killed before its Nth such system call.
killed_at() {
	local status=0
	on strace -qq -o /dev/null --inject="$1":signal=KILL:when="$2" \
		"$STEER_BUILD/steerctl" --instance "$NET" "${@:3}" || status=$?
	((status == 137))
}

@test "an up killed half-way does not keep the next one from coming up" {
	command -v strace || skip "strace is not installed"
	for call in 5 40 70 90 100; do
		killed_at bpf "$call" up
		steer up
		steer verify
		steer --yes down
	done
}

@test "a down killed half-way is ended by down, or taken back by up" {
	command -v strace || skip "strace is not installed"
	for call in 2 6 10 14; do
		steer up
		killed_at unlink "$call" --yes down
		steer up
		steer verify
		killed_at unlink "$call" --yes down
		steer --yes down
		[[ ! -e $PINS && -z $(program edge0) ]]
	done
}

# many SERVICES FRONTENDS_EACH BACKENDS_EACH: a configuration of that size.
many() {
	awk -v services="$1" -v frontends="$2" -v backends="$3" 'BEGIN {
		print "interfaces: [edge0]\nservices:"
		for (s = 0; s < services; s++) {
			printf "  s%d:\n    frontends: [", s
			for (f = 0; f < frontends; f++) {
				n = s * frontends + f
				printf "%s203.0.%d.%d:80/tcp", f ? ", " : "", n / 256, n % 256
			}
			print "]\n    pools:\n      blue:\n        backends:"
			for (b = 0; b < backends; b++) {
				n = s * backends + b
				printf "          b%d: {address: 10.%d.%d.%d, mac: \"02:00:00:00:%02x:%02x\"}\n",
					n, 1 + n / 65536, n / 256 % 256, n % 256, n / 256, n % 256
			}
			print "    active: blue"
		}
	}' >"$STEER_CONFIG"
}

@test "4,096 frontends, 4,096 backends and 256 services come up; one more of each is refused" {
	on ip route add 10.0.0.0/8 via 10.0.0.9 dev edge0
	many 256 16 16
	time steer check
	time steer up
	steer verify
	many 257 1 1
	run -2 steer check
	[[ $output == *256* ]]
	many 1 4097 1
	run -2 steer check
	[[ $output == *4096* ]]
	many 1 1 4097
	run -2 steer check
	[[ $output == *4096* ]]
}
