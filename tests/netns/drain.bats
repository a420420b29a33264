#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Servers are emptied without cutting anybody off, and changes undo themselves unless confirmed.

bats_require_minimum_version 1.5.0

setup_file() {
	load operator
	lab_begin drain
	export STEER_RUN=$WORK/run
	sed -i 's|^    active: blue|    drain: {deadline: 2s}\n    active: blue|' "$STEER_CONFIG"
	steer up
}

teardown_file() {
	load operator
	lab_end
}

setup() {
	load operator
	cd "$BATS_TEST_DIRNAME/../.."
	[[ $(steer get) == "blue 100% green 0% canary 0%" ]] || steer -q switch blue --cut
	steer -q ready blue
	steer -q ready green
	wait_for is_settled
}

teardown() {
	[[ -z ${keeper:-} ]] || let_go
}

is_settled() {
	steer status --json | jq -e '.services[0].transition == null and .window == null' >/dev/null
}

# hold FIRST-ADDRESS [FIRST-PORT]: twenty clients open a connection each and keep it.
hold() {
	mkfifo "$BATS_TEST_TMPDIR/ask"
	nsenter --net="/run/netns/$LAB-client" tests/netns/keep.py 203.0.113.10:80 "$1" 20 ${2:+"$2"} \
		<"$BATS_TEST_TMPDIR/ask" >"$BATS_TEST_TMPDIR/told" 2>&1 3>&- &
	keeper=$!
	exec 7>"$BATS_TEST_TMPDIR/ask"
	wait_for has_more 0
	tail -n 1 "$BATS_TEST_TMPDIR/told"
}

# has_more N: are there more lines than N of who served?
has_more() {
	(($(wc -l <"$BATS_TEST_TMPDIR/told") > $1))
}

# Ask on all connections again: "NAME COUNT ... broken COUNT".
ask() {
	local before
	before=$(wc -l <"$BATS_TEST_TMPDIR/told")
	echo >&7
	wait_for has_more "$before"
	tail -n 1 "$BATS_TEST_TMPDIR/told"
}

let_go() {
	exec 7>&-
	wait "$keeper" || true
	keeper=
}

@test "drain sends nobody new, and what is open stays there" {
	hold 198.18.0.1 >/dev/null
	ask >"$BATS_TEST_TMPDIR/before"
	grep -q blue-1 "$BATS_TEST_TMPDIR/before"
	run -0 steer drain blue-1
	[[ $output == *"blue-1: drain, was ready"*"undo: steerctl ready blue-1 -s shop"* ]]
	nsenter --net="/run/netns/$LAB-client" "$TOOLS/httpload" -s 198.18.1.1-198.18.1.99 \
		203.0.113.10:80 >"$BATS_TEST_TMPDIR/new"
	run ! grep -q blue-1 "$BATS_TEST_TMPDIR/new"
	diff <(ask) "$BATS_TEST_TMPDIR/before"
}

@test "drain is idempotent, and says what it would do" {
	run -3 steer drain blue-1 --dry-run
	steer -q drain blue-1
	run -0 steer drain blue-1
	[[ $output == "blue-1: drain already (revision "* ]]
	run -0 steer drain blue-1 --dry-run
	run -0 steer drain blue-1 --wait --json
	jq -e '.ok and .changes == [] and .drained[0].empty' <<<"$output"
}

@test "--wait returns when nothing leads there any more, and not before the deadline" {
	run -0 steer drain blue-1 --wait --json
	jq -e '.waited_ms > 1500 and .waited_ms < 10000 and .drained[0].empty and
		.drained[0].origin_slots == 0 and .changes[0].to == "drain"' <<<"$output"
	is_settled
}

@test "what is known is told: records exactly, the rest as an estimate" {
	hold 198.18.2.1 >/dev/null
	steer -q switch green
	nsenter --net="/run/netns/$LAB-client" "$TOOLS/httpload" -s 198.18.3.1-198.18.3.9 \
		203.0.113.10:80 >/dev/null
	steer -q switch blue
	run -0 steer wait drained green
	[[ ${lines[0]} =~ ^green-1:\ [0-9]+\ recorded\;.*left$ ]]
	[[ $output == *"nothing leads there any more"* ]]
	let_go
}

@test "a wait that is too short exits with 9, says what is left, and the state stays" {
	run -9 --separate-stderr steer drain blue-1 --wait --timeout 200ms
	[[ $stderr == *"not empty after 0.2s: blue-1: "*"recorded"*"left" ]]
	[[ $output == *"blue-1: drain, was ready"* ]]
	[[ $(steer status --json | jq -r '.services[0].pools[0].backends[0].state') == drain ]]
	run -9 steer wait drained blue-1 --timeout 1ms
}

@test "silence is taken for the end only where it was asked for" {
	steer -q drain blue-1
	run -0 steer wait drained blue-1 --idle 1s
	[[ $output == *"silent for 1s, which was to be enough"* ]]
	run -2 --separate-stderr steer drain blue-1 --idle 1s
	[[ $stderr == *"--idle goes with --wait only"* ]]
}

@test "waiting for what never empties fails at once; an empty pool is empty" {
	run -1 --separate-stderr steer wait drained blue-1
	[[ $stderr == *"gets new connections"*"steerctl drain blue-1"* ]]
	run -0 steer wait drained canary
	run -2 --separate-stderr steer wait healthy blue-1
	run -4 --separate-stderr steer wait drained blue-3
	[[ $stderr == *"did you mean 'blue-"* ]]
}

@test "a wait ends with 10 when somebody gives the server clients again" {
	steer drain blue-1 --wait >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	waiter=$!
	wait_for grep -q recorded "$BATS_TEST_TMPDIR/out"
	steer -q ready blue-1
	wait "$waiter" && status=0 || status=$?
	((status == 10))
	grep -q "gets new connections again" "$BATS_TEST_TMPDIR/out"
}

@test "the last server that takes clients is not drained by mistake" {
	steer -q drain blue-1
	for name in blue-2 blue; do
		run -7 --separate-stderr steer drain "$name"
		[[ $stderr == *"rail 'health'"*"--override health"* ]]
	done
	run -0 steer drain blue --override health
	run -0 steer ready blue
	[[ $output == *"blue-1: ready, was drain; shop/blue-2: ready, was drain"* ]]
}

@test "maint moves open connections as well, drain --cut too" {
	hold 198.18.4.1 >/dev/null
	run -0 ask
	[[ $output == *"blue-1"* ]]
	steer -q maint blue-1
	run -0 ask # what was on blue-1 meets a server that does not know it
	[[ $output != *"blue-1"* && $output != *"broken 0"* ]]
	let_go
}

@test "switch --cut moves everybody at once" {
	hold 198.18.5.1 >/dev/null
	run -0 steer switch green --cut
	[[ $output != *"finish where they began"* ]]
	run -0 ask
	[[ $output == *"broken 20" ]]
	let_go
}

@test "states outlive the data plane" {
	steer -q maint blue-1
	steer -q drain green-2
	steer -q down
	steer -q up
	steer status --json | jq -e '.services[0].pools | .[0].backends[0].state == "maint" and
		.[1].backends[1].state == "drain"'
}

@test "status shows a transition: slots, records, time" {
	steer -q switch green
	hold 198.18.6.1 >/dev/null
	steer status --json | jq -e '.services[0] | .transition.touched_slots == 65536 and
		.transition.records >= 20 and .transition.left_ms > 0 and
		.transition.left_ms <= 2000 and .pools[1].records >= 20'
	run -0 steer status
	[[ $output =~ transition:\ 65536\ slots,\ [0-9.]+s\ left\;\ records: ]]
	let_go
}

@test "explain names what decides for an open connection" {
	run -0 steer explain 198.18.7.1:6000 --json
	jq -e '.flows[0].rule == "slot"' <<<"$output"
	hold 198.18.7.1 6000 >/dev/null
	steer -q switch green
	run -0 steer explain 198.18.7.1:6000 --json
	jq -e '.flows[0] | .rule == "origin" and (.backend | startswith("blue-"))' <<<"$output"
	nsenter --net="/run/netns/$LAB-client" tests/netns/keep.py 203.0.113.10:80 198.18.7.1 1 6100 \
		</dev/null
	run -0 steer explain 198.18.7.1:6100 --json
	jq -e '.flows[0] | .rule == "record" and (.backend | startswith("green-"))' <<<"$output"
	let_go
}

# ---- changes that undo themselves ----

@test "a change that nobody confirms undoes itself, and confirming too late exits with 10" {
	before=$(revision)
	run -0 steer set canary 5% --confirm-within 1s
	[[ $output == *"undoes itself in "*"steerctl confirm"*"undo: steerctl cancel"* ]]
	wait_for eval '[[ $(steer get canary) == "canary 0%" ]]'
	run -10 --separate-stderr steer confirm
	[[ $stderr == *"no window is armed"* ]]
	run -0 steer cancel # undone already
	(($(revision) == before + 2))
	history_is_whole
}

@test "confirm keeps it, twice is once; cancel takes it back, twice is once" {
	steer -q set canary 5% --confirm-within 1h
	run -0 steer confirm
	run -0 steer confirm
	[[ $output == "confirmed already"* ]]
	run -1 --separate-stderr steer cancel
	[[ $stderr == *"it was confirmed"*"rollback"* ]]
	[[ $(steer get canary) == "canary 5%" ]]
	steer -q rollback
	steer -q set canary 5% --confirm-within 1h
	run -0 steer cancel
	run -0 steer cancel
	[[ $output == "undone already"* ]]
	[[ $(steer get canary) == "canary 0%" ]]
	steer -q weight blue-1 2
	run -1 --separate-stderr steer confirm
	[[ $stderr == *"there is nothing to confirm"* ]]
	run -1 steer cancel
	steer -q weight blue-1 1
}

@test "while a change waits to be confirmed others are refused, states and rollback are not" {
	steer -q set canary 5% --confirm-within 1h
	for command in "set canary 6%" "switch green" "weight blue-1 2" \
		"drain blue-1 --confirm-within 5m"; do
		# shellcheck disable=SC2086
		run -7 --separate-stderr steer $command
		[[ $stderr == *"rail 'window'"*"undoes itself in "*"steerctl confirm"*"steerctl cancel"* ]]
	done
	for command in drain maint ready; do
		steer -q "$command" blue-1
		steer status --json | jq -e '.window.left_ms > 3500000'
	done
	steer -q rollback
	steer status --json | jq -e '.window == null'
	[[ $(steer get canary) == "canary 0%" ]]
}

@test "a window is 1 s to 24 h long" {
	for time in 0 0s 999ms 25h 2d -1s soon; do
		run -2 --separate-stderr steer set canary 5% --confirm-within "$time"
		[[ $stderr == *"--confirm-within"* ]]
	done
	run -2 --separate-stderr steer status --confirm-within 5m
	run -2 --separate-stderr steer rollback --confirm-within 5m
	[[ $stderr == *"rollback --to"* ]]
}
