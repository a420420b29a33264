#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# One writer at a time, rollback in every circumstance, and the journal after accidents.

bats_require_minimum_version 1.5.0

setup_file() {
	load operator.bash
	lab_begin writers
}

teardown_file() {
	load operator.bash
	lab_end
}

# Every test starts with a fresh journal: blue has all (1), then canary 3% (2), then 4% (3).
setup() {
	load operator.bash
	cd "$BATS_TEST_DIRNAME/../.."
	steer -q down
	rm -rf "$STATE"
	steer -q up
	steer -q set canary 3%
	steer -q set canary 4%
}

teardown() {
	[[ ! -e $WORK/stopped ]] || kill -KILL "$(<"$WORK/stopped")" || true
	rm -f "$WORK/stopped"
}

# write_in_parallel OPTIONS... -- SHARE...: one writer per share; sets done to how many succeeded.
# The others must have been refused for the lock.
write_in_parallel() {
	local options=() share pid status pids=()
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	for share in "${@:2}"; do
		steer -q "${options[@]}" set canary "$share" 2>/dev/null &
		pids+=($!)
	done
	done=0
	for pid in "${pids[@]}"; do
		status=0
		wait "$pid" || status=$?
		((status == 0 || status == 6)) || { echo "a writer: exit $status"; return 1; }
		((status)) || done=$((done + 1))
	done
}

@test "of writers at once none is lost: twenty rounds of two, one of four" {
	local round before done
	for ((round = 0; round < 20; round++)); do
		before=$(revision)
		write_in_parallel --timeout 60s -- "$((10 + round % 2))%" "$((20 + round % 2))%"
		((done == 2))
		[[ $(revision) == $((before + 2)) ]]
	done
	before=$(revision)
	write_in_parallel --timeout 60s -- 30% 31% 32% 33%
	((done == 4))
	[[ $(revision) == $((before + 4)) ]]
	history_is_whole
	steer -q verify
}

@test "writers that do not wait are refused or counted" {
	local before done
	before=$(revision)
	write_in_parallel --timeout 0ms -- 30% 31% 32% 33%
	((done >= 1))
	[[ $(revision) == $((before + done)) ]]
	history_is_whole
}

# stop_writer FROM N: a `set canary 20%` stops at its N-th call from FROM, holding the lock. Its
# exit status goes to $WORK/writer.status, its words to $WORK/writer, its id to $WORK/stopped.
stop_writer() {
	rm -f "$WORK/writer.status"
	: >"$WORK/writer"
	{
		local status=0
		killat -f "$1" -s "$2" -- set canary 20% >"$WORK/writer" 2>&1 3>&- || status=$?
		echo "$status" >"$WORK/writer.status"
	} &
	wait_for grep -qs '^stopped\|^[0-9]' "$WORK/writer" "$WORK/writer.status"
	grep -q '^stopped' "$WORK/writer" || return 1 # it made fewer calls and is done
	sed -n 's/^stopped //p' "$WORK/writer" >"$WORK/stopped"
	wait_for grep -q '^State:.T' "/proc/$(<"$WORK/stopped")/status"
}

continue_writer() {
	kill -CONT "$(<"$WORK/stopped")"
	wait_for test -s "$WORK/writer.status"
	rm "$WORK/stopped"
}

# A rollback past the stopped writer: it waits about 2 s and says that it goes without the lock.
rollback_goes_without() {
	local start=$EPOCHREALTIME waited_ms
	run -0 --separate-stderr steer rollback
	waited_ms=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	echo "$waited_ms ms: $stderr"
	((waited_ms >= 2000 && waited_ms < 4500))
	[[ $stderr == *"process $(<"$WORK/stopped")"*"going on without it"* ]]
	[[ $(look canary) == "$1 0" ]]
	traffic_flows
}

writer_came_too_late() {
	continue_writer
	[[ $(<"$WORK/writer.status") == 10 ]]
	[[ $(look canary) == "$1 0" ]]
	history_is_whole
	run -0 --separate-stderr steer set canary 6%
	[[ $stderr != *damaged* ]]
	steer -q verify
	history_is_whole
}

@test "a writer that was stopped before its intent does not overwrite a rollback" {
	stop_writer flock 20
	rollback_goes_without 4
	writer_came_too_late 4
}

@test "a writer that was stopped while it built does not overwrite a rollback" {
	local calls back
	calls=$(calls_from fdatasync set canary 19%)
	back=$(($(revision) + 1))
	stop_writer fdatasync $((calls / 2))
	rollback_goes_without "$back"
	# Twice is once, also without the lock.
	run -0 --separate-stderr steer --timeout 50ms rollback
	[[ $output == "nothing to roll back: already there (revision $back)" ]]
	writer_came_too_late "$back"
}

@test "a writer that was stopped between swap and journal is in the history, and rolled back" {
	local at before calls
	calls=$(calls_from fdatasync set canary 20%)
	for ((at = calls / 2; at < calls; at += 2)); do
		steer -q set canary 4%
		before=$(revision)
		stop_writer fdatasync "$at" || break
		[[ $(look canary) == "$before "* || $(steer --json history) == *"\"revision\":$((before + 1)),\"parent\""* ]] || break
		continue_writer
		[[ $(<"$WORK/writer.status") == 0 ]]
	done
	[[ -e $WORK/stopped ]]
	rollback_goes_without $((before + 2))
	writer_came_too_late $((before + 2))
	[[ $(steer history | tail -n 3) == *"set canary 20%"*rollback*"set canary 6%"* ]]
}

@test "a commit is refused meanwhile, and told who holds the lock" {
	stop_writer flock 20
	run -6 --separate-stderr steer --timeout 100ms set canary 9%
	[[ $stderr == "steerctl: another command (process $(<"$WORK/stopped")) has held the lock on "* ]]
	[[ $(look canary) == "3 2621" ]]
	continue_writer
	[[ $(<"$WORK/writer.status") == 0 ]]
	[[ $(look canary) == "4 13107" ]]
}

@test "a lock that was waited for through down and up is not the lock" {
	local waiting status=0
	exec 9<"$PINS"
	flock 9
	nsenter --net="/run/netns/$LAB-edge" "$STEERCTL" --instance "$LAB" -q --timeout 60s \
		set canary 9% 2>"$WORK/writer" 9<&- &
	waiting=$!
	has_opened() { ls -l "/proc/$waiting/fd" | grep -q " $PINS\$"; }
	wait_for has_opened
	rm -rf "$PINS"
	steer -q up 9<&-
	exec 9<&-
	wait "$waiting" || status=$?
	[[ $status == 1 && $(<"$WORK/writer") == "steerctl: steer "*down* ]]
	[[ $(look canary) == "4 2621" ]]
	steer -q verify
}

@test "readers do not wait for a writer" {
	stop_writer fdatasync 200
	for command in status get verify history stats "explain 198.18.0.1"; do
		# shellcheck disable=SC2086
		timeout 1 nsenter --net="/run/netns/$LAB-edge" "$STEERCTL" --instance "$LAB" $command \
			>/dev/null
	done
	continue_writer
}

@test "--if-rev lets only the revision it names pass" {
	run -5 --separate-stderr steer --if-rev 2 set canary 9%
	[[ $stderr == "steerctl: revision is 3, not 2 as --if-rev wants" ]]
	run -5 --separate-stderr steer --if-rev 2 rollback
	[[ $(look canary) == "3 2621" ]]
	steer -q --if-rev 3 set canary 9%
}

@test "rollback twice is once" {
	steer -q rollback
	[[ $(look canary) == "4 0" ]]
	run -0 steer rollback
	[[ $output == "nothing to roll back: already there (revision 4)" ]]
	[[ $(look canary) == "4 0" ]]
}

@test "rollback needs no journal; the next command takes it up, clients stay in their slots" {
	local slot
	slot=$(steer explain 198.18.0.1 | grep -o 'slot [0-9]*')
	rm -rf "$STATE"
	run -0 --separate-stderr steer rollback
	[[ $(look canary) == "4 0" ]]
	traffic_flows
	steer -q set canary 5% 2>/dev/null
	history_is_whole
	steer -q verify
	rm -rf "$PINS"
	steer -q up
	[[ $(steer explain 198.18.0.1) == *"$slot"* ]]
}

@test "rollback needs no configuration file" {
	STEER_CONFIG=/nonexistent/steer.yaml steer -q rollback
	[[ $(look canary) == "4 0" ]]
}

# with_state COMMANDS...: in a mount namespace of its own, where the state directory is prepared by
# the shell text $1 and steerctl runs with the rest.
with_state() {
	on_edge unshare --mount sh -ec "$1" sh "$STEERCTL" --instance "$LAB" "${@:2}"
}

READ_ONLY='mount --bind "$STATE" "$STATE"; mount -o remount,bind,ro "$STATE"; exec "$@"'
FULL='mount -t tmpfs -o size=256k tmpfs "$WORK/full"; mkdir "$WORK/full/$LAB"
	cp "$STATE"/* "$WORK/full/$LAB"; cat /dev/zero >"$WORK/full/zero" 2>/dev/null || true
	STEER_STATE=$WORK/full exec "$@"'

@test "on a state directory that cannot be written a commit changes nothing, a rollback works" {
	local state before
	mkdir -p "$WORK/full"
	for state in "$READ_ONLY" "$FULL"; do
		before=$(revision)
		run -1 --separate-stderr with_state "$state" set canary 9%
		[[ $stderr == "steerctl: "*journal* ]]
		[[ $(look canary) == "$before 2621" ]]
		run -0 --separate-stderr with_state "$state" rollback
		[[ $stderr == "steerctl: warning: "*journal* ]]
		[[ $(look canary) == "$((before + 1)) 0" ]]
		traffic_flows
		run -0 --separate-stderr steer set canary 4%
		[[ $stderr == *"the kernel holds revision $((before + 1)), the journal ended at $before: adopted"* ]]
		steer -q verify
		history_is_whole
	done
}

@test "after a reboot up installs what the journal says, for the same clients" {
	local answers
	steer -q set canary 20%
	traffic_flows
	answers=$(<"$WORK/answers")
	rm -rf "$PINS"
	run -1 steer status
	steer -q up
	[[ $(look canary) == *" 13107" ]]
	traffic_flows
	[[ $(<"$WORK/answers") == "$answers" ]]
	steer -q rollback
	[[ $(look canary) == *" 0" ]]
	history_is_whole
}

@test "a torn last line is cut with a warning and nothing else is lost" {
	printf '{"type":"intent","revis' >>"$STATE/journal"
	run -0 --separate-stderr steer history
	[[ $stderr == "steerctl: warning: "*"torn or damaged from line 7 on: 23 bytes ignored"* ]]
	[[ ${#lines[@]} == 4 ]]
	run -0 --separate-stderr steer set canary 5%
	[[ $stderr == "steerctl: warning: "*"23 bytes moved to journal.damaged; all before is intact" ]]
	rm "$STATE/journal.damaged"
	history_is_whole
	[[ $(look canary) == "4 3277" ]]
}

@test "a byte flipped in the middle cuts there, and the kernel's revision is taken up" {
	sed -i '4s/"uid":0/"uid":1/' "$STATE/journal"
	run -0 --separate-stderr steer set canary 5%
	[[ $stderr == *"damaged from line 4 on"*"all before is intact"* ]]
	[[ $stderr == *"the kernel holds revision 3, the journal ended at 1: adopted"* ]]
	[[ $(look canary) == "4 3277" ]]
	steer -q verify
	run -0 --separate-stderr steer --json history
	[[ -z $stderr ]]
	[[ $(jq -c '[.revisions[].revision]' <<<"$output") == "[1,3,4]" ]]
	[[ $(wc -l <"$STATE/journal.damaged") == 3 ]]
}

@test "a lost or damaged key stops commits with a sentence, never a rollback" {
	mv "$STATE/hash.key" "$WORK/hash.key"
	run -1 --separate-stderr steer set canary 5%
	[[ $stderr == "steerctl: '$STATE/hash.key' is missing "*"restore the key"* ]]
	echo nonsense >"$STATE/hash.key"
	run -1 --separate-stderr steer set canary 5%
	[[ $stderr == "steerctl: '$STATE/hash.key' is not a key of 32 hexadecimal digits" ]]
	run -0 --separate-stderr steer rollback
	[[ $stderr == *"going on without the journal"* ]]
	[[ $(look canary) == "4 0" ]]
	mv "$WORK/hash.key" "$STATE/hash.key"
	steer -q set canary 5% 2>/dev/null
	history_is_whole
}
