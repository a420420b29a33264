#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Any process may die at any instruction: commands are killed at one system call after the other,
# and the next command finds the old or the new revision, never a mix.
# STEER_KILL_EVERY=1 kills at every system call (minutes); unset, at a spread of them.

bats_require_minimum_version 1.5.0

setup_file() {
	load operator.bash
	lab_begin killed
}

teardown_file() {
	load operator.bash
	lab_end
}

# A short journal for every test.
setup() {
	load operator.bash
	cd "$BATS_TEST_DIRNAME/../.."
	steer -q down
	rm -rf "$STATE"
	steer -q up
}

# So many commits that the next ones make about as many system calls as the last.
settle() {
	local i
	for ((i = 0; i < 25; i++)); do
		steer -q set canary "$((3 + i % 2))%" 2>/dev/null
	done
}

# points COUNT STEP: calls to die at, of COUNT; the last ones densely.
points() {
	{
		seq 1 "${STEER_KILL_EVERY:-$2}" "$1"
		seq "$(($1 > 8 ? $1 - 8 : 1))" "$1"
	} | sort -nu
}

# die_at CALL N ARGUMENTS...: the command ends at its N-th system call from the first CALL on.
# Their number varies a little; a command that had fewer has ended well.
die_at() {
	local status=0
	killat -f "$1" -k "$2" -- "${@:3}" >/dev/null 2>&1 || status=$?
	((status == 137 || status == 0)) || { echo "call $2: exit $status"; return 1; }
	((status == 0)) || deaths=$((deaths + 1))
}

# The next commit works, and what it leaves is whole. Nothing but the recovery is warned of.
next_commit_works() { # REVISION SHARE POOL
	steer -q set canary "$2" 2>"$WORK/warnings"
	! grep -v ' revision [0-9]* was \(begun\|live\) \| the kernel holds .*: adopted' "$WORK/warnings"
	steer -q verify
	was=$(look "$3")
	[[ $was == "$(($1 + 1)) "* ]]
}

# sweep STEP POOL SLOTS ARGUMENTS...: kill the command from its lock to its first line in the
# journal, then at one call in STEP after that. Between two deaths canary gets 3% or 4%; a command
# that reached its swap gives POOL one of SLOTS.
sweep() {
	local turn=0 deaths=0 swapped=0 was command=("${@:4}") calls early n
	settle
	for n in 1 2; do # the second time finds its tables resident, as all that follow
		steer -q switch blue
		steer -q set canary 5%
		calls=$(calls_from fdatasync "${command[@]}")
	done
	steer -q switch blue
	steer -q set canary 5%
	early=$(($(calls_from flock "${command[@]}") - calls))
	steer -q switch blue
	steer -q set canary 3%
	was=$(look "$2")
	for n in $(points "$early" 24); do
		die_and_go_on flock "$n" "$2" "$3"
	done
	for n in $(points "$calls" "$1"); do
		die_and_go_on fdatasync "$n" "$2" "$3"
	done
	echo "# ${command[*]}: $deaths deaths at $((early + calls)) calls, $swapped after the swap" >&3
	((deaths * 2 > turn && swapped > 0 && swapped < turn))
}

die_and_go_on() { # FROM N POOL SLOTS
	local now
	die_at "$1" "$2" "${command[@]}"
	now=$(look "$3")
	if [[ $now != "$was" ]]; then
		[[ ${now% *} == $((${was% *} + 1)) && " $4 " == *" ${now#* } "* ]] ||
			{ echo "call $2 from $1: '$was' became '$now'"; return 1; }
		swapped=$((swapped + 1))
	fi
	traffic_flows
	if [[ ${command[0]} == switch ]]; then
		steer -q switch blue 2>/dev/null
		now=$(look "$3")
	fi
	next_commit_works "${now% *}" "$((3 + ++turn % 2))%" "$3"
}

@test "set, killed anywhere, leaves the old or the new revision and the next one works" {
	sweep 18 canary 13107 set canary 20%
	history_is_whole
}

@test "rollback, killed anywhere, leaves the old or the new revision and the next one works" {
	sweep 60 canary 0 rollback
	history_is_whole
}

@test "switch, killed anywhere, leaves the old or the new revision and the next one works" {
	sweep 90 green '63570 62915' switch green
	history_is_whole
}

@test "deaths leave nothing behind that grows" {
	local n pins held calls deaths=0
	settle
	pins=$(count_pins) held=$(count_held)
	steer -q set canary 20%
	steer -q set canary 5%
	calls=$(calls_from fdatasync set canary 20%)
	steer -q set canary 5%
	for ((n = calls / 5; n < calls / 5 + 40; n++)); do
		die_at fdatasync "$n" set canary 20%
	done
	echo "$deaths deaths of $calls calls"
	((deaths == 40))
	settle
	(($(count_pins) <= pins))
	(($(count_held) <= held + 8))
}

# What a dead first start leaves is taken by the next one; `down` leaves nothing at all.
come_up_again() {
	steer -q up 2>"$WORK/warnings"
	! grep -v ' revision [0-9]* was \(begun\|live\) ' "$WORK/warnings"
	traffic_flows
	steer -q verify
	steer -q set canary 3%
	history_is_whole
	steer -q down
	[[ ! -e $PINS ]]
}

@test "up, killed anywhere in a first start, comes up the next time" {
	local n calls deaths=0
	steer -q down
	rm -rf "$STATE"
	calls=$(killat -- up 2>&1 >/dev/null | tail -n 1)
	steer -q down
	for ((n = 40; n <= calls; n += 22)); do
		rm -rf "$STATE"
		deaths=$((deaths + 1))
		run -137 killat -k "$n" -- up
		come_up_again
	done
	echo "# up: $deaths deaths at $calls calls" >&3
	((deaths >= 20))
}

@test "up on a running steerer, killed anywhere, never stops the traffic" {
	local n calls was deaths=0
	steer -q set canary 3%
	was=$(look canary)
	calls=$(calls_from flock up)
	for n in $(points "$calls" 15); do
		die_at flock "$n" up
		[[ $(look canary) == "$was" ]]
		traffic_flows
		steer -q up
		traffic_flows
		steer -q verify
	done
	echo "# up: $deaths deaths at $calls calls" >&3
	next_commit_works "${was% *}" 4% canary
	history_is_whole
	((deaths >= 20))
}

@test "down, killed anywhere, is finished by the next down, and up begins anew" {
	local n calls deaths=0 next=down
	calls=$(calls_from flock down)
	for ((n = 1; n <= calls; n += 5)); do
		steer -q up
		die_at flock "$n" down
		if [[ $next == up ]]; then
			come_up_again
			next=down
		else
			steer -q down
			[[ ! -e $PINS ]]
			next=up
		fi
	done
	echo "# down: $deaths deaths at $calls calls" >&3
	((deaths >= 10))
}

@test "what a dead commit had begun works when it is asked for again" {
	local n calls share deaths=0
	settle
	calls=$(calls_from fdatasync set canary 2999/65536)
	for ((n = calls / 2; n < calls; n += calls / 40)); do
		share=$((3000 + n))/65536 # a table that nobody has built before
		die_at fdatasync "$n" set canary "$share"
		steer -q set canary "$share" 2>/dev/null
		traffic_flows
		steer -q verify
	done
	((deaths >= 10))
}
