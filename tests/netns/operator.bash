# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# For tests of what operators do: a lab, steerctl on its edge host, probes with real packets.
# A test file loads it, calls lab_begin in setup_file and lab_end in teardown_file.

# lab_begin WORD: the lab of this test file, its folder in WORK, its configuration in STEER_CONFIG.
lab_begin() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export LAB=$1$$ WORK
	WORK=$(mktemp -d /tmp/steer-test.XXXXXX)
	export STEER_STATE=$WORK/state STEER_CONFIG=$WORK/steer.yaml STEER_RUN=$WORK/run
	export STEERCTL=${STEER_BUILD:-build}/steerctl TOOLS=${STEER_BUILD:-build}/tools
	export PINS=/sys/fs/bpf/steer/$LAB STATE=$STEER_STATE/$LAB
	scripts/lab up "$LAB" "$WORK/lab"
	scripts/lab config "$LAB" >"$STEER_CONFIG"
}

lab_end() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	steer -q down --override lock || true
	scripts/lab down "$LAB"
	rm -rf "$WORK"
}

on_edge() {
	nsenter --net="/run/netns/$LAB-edge" "$@"
}

steer() {
	on_edge "$STEERCTL" --instance "$LAB" "$@"
}

# killat OPTIONS... -- ARGUMENTS...: steerctl under the tool of that name.
killat() {
	local options=()
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	on_edge "$TOOLS/killat" "${options[@]}" "$STEERCTL" --instance "$LAB" "${@:2}"
}

# calls_from CALL ARGUMENTS...: carry a command out; how many system calls from the first CALL on.
calls_from() {
	killat -f "$1" -- "${@:2}" 2>&1 >/dev/null | tail -n 1
}

# Eight clients ask; httpload fails if one gets no answer.
traffic_flows() {
	nsenter --net="/run/netns/$LAB-client" "$TOOLS/httpload" -s 198.18.0.1-198.18.0.8 \
		203.0.113.10:80 >"$WORK/answers"
}

revision() {
	local json
	json=$(steer --json status)
	[[ $json =~ \"after\":([0-9]+) ]]
	echo "${BASH_REMATCH[1]}"
}

# look POOL: "REVISION SLOTS-OF-POOL" of the first service that has it, in one look. (No jq: it
# takes longer to start than the command itself.)
look() {
	local json revision
	json=$(steer --json status)
	[[ $json =~ \"after\":([0-9]+) ]]
	revision=${BASH_REMATCH[1]}
	[[ $json =~ \"name\":\"$1\"[^{]*\"share_slots\":([0-9]+) ]]
	echo "$revision ${BASH_REMATCH[1]}"
}

# The journal reads without a complaint, counts up one by one, and ends where the kernel is.
history_is_whole() {
	steer --json history | jq -e --argjson live "$(revision)" '.ok and .warnings == [] and
		([.revisions[].revision] | . == [range(.[0]; .[0] + length)] and .[-1] == $live)' >/dev/null
	[[ ! -e $STATE/journal.damaged ]]
}

count_pins() {
	find "$PINS" -type f | wc -l
}

# Maps that the object arrays hold; a map can be held there without a pin.
count_held() {
	local kind
	for kind in bank frontends table page; do
		bpftool map dump pinned "$PINS/maps/${kind}_objects"
	done | grep -c ^key
}

# wait_for COMMAND...: until it succeeds, 5 s at most.
wait_for() {
	local tries
	for ((tries = 0; tries < 250; tries++)); do
		! "$@" || return 0
		read -rt 0.02 <> <(:) || true
	done
	return 1
}
