#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A pool is updated server by server; whatever a hook does, one server at most is left behind.

bats_require_minimum_version 1.5.0

setup_file() {
	load operator
	lab_begin rolling
	export STEER_RUN=$WORK/run
	sed -i 's|^    active: blue|    drain: {deadline: 1s}\n    active: blue|' "$STEER_CONFIG"
	# More births than this load has: those over the budget stay at the origin, until its deadline.
	sed -i '1i limits: {flows: 2097152}' "$STEER_CONFIG"
	steer up
}

teardown_file() {
	load operator
	lab_end
}

setup() {
	load operator
	cd "$BATS_TEST_DIRNAME/../.."
	export HOOK=$BATS_TEST_TMPDIR/hook SEEN=$BATS_TEST_TMPDIR/seen
	steer -q rolling --abort
	steer -q ready blue
	steer -q ready green
}

# hook LINES...: a hook of these lines.
hook() {
	printf '%s\n' '#!/bin/bash' "$@" >"$HOOK"
	chmod +x "$HOOK"
}

state_of() {
	steer status --json | jq -r --arg name "$1" \
		'.services[0].pools[].backends[] | select(.name == $name) | .state'
}

# begin HOOK: an update of blue beside us; its process is $first, without a shell in between.
begin() {
	nsenter --net="/run/netns/$LAB-edge" "$STEERCTL" --instance "$LAB" rolling blue --hook "$1" \
		>"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	first=$!
}

# The steerctl that a hook calls.
own_steerctl() {
	echo "$PWD/$STEERCTL --instance $LAB"
}

@test "one after the other is drained, updated and made ready, under load, with no error" {
	hook "echo \"\$STEER_BACKEND \$STEER_ADDRESS \$STEER_POOL \$STEER_VERSION \$STEER_SERVICE\" >>$SEEN" \
		"$(own_steerctl) status --json >>$SEEN.states" 'echo all is well'
	nsenter --net="/run/netns/$LAB-client" "$TOOLS/httpload" -s 198.18.0.1-198.18.15.255 -n 100000 \
		-t 4 203.0.113.10:80 >"$BATS_TEST_TMPDIR/load" 3>&- &
	load=$!
	run -0 steer rolling blue --hook "$HOOK" --check true
	[[ $output == *"blue of shop: 2 servers updated (revision "* ]]
	wait "$load"
	grep -q '^errors 0$' "$BATS_TEST_TMPDIR/load"
	diff "$SEEN" - <<-TEXT
	blue-1 10.0.0.11 blue 2.3.9 shop
	blue-2 10.0.0.12 blue 2.3.9 shop
	TEXT
	jq -s -e 'map([.services[0].pools[0].backends[].state]) ==
		[["drain", "ready"], ["ready", "drain"]]' "$SEEN.states"
	[[ $(state_of blue-1) == ready && $(state_of blue-2) == ready ]]
	grep -q 'all is well' "$STATE/rolling/blue-1.log"
	grep -q 'all is well' "$STATE/rolling/blue-2.log"
	[[ ! -e $STATE/rolling.json ]]
	history_is_whole
}

@test "the hook meets a server to which nothing leads" {
	hook "$(own_steerctl) wait drained \$STEER_BACKEND --timeout 1ms" "echo \$? >>$SEEN"
	run -0 steer rolling blue --hook "$HOOK"
	[[ $(cat "$SEEN") == $'0\n0' ]]
}

@test "the first failure stops it with that server drained; --resume goes on with it" {
	hook "echo \$STEER_BACKEND >>$SEEN" "[[ \$STEER_BACKEND != blue-1 || -e $SEEN.good ]] || exit 3"
	run -1 --separate-stderr steer rolling blue --hook "$HOOK"
	[[ $stderr == *"the hook of blue-1: it exited with 3; its log is $STATE/rolling/blue-1.log"* ]]
	[[ $stderr == *"--resume"*"--abort"* ]]
	[[ $(state_of blue-1) == drain && $(state_of blue-2) == ready ]]
	run -1 --separate-stderr steer rolling blue --hook "$HOOK"
	[[ $stderr == *"is not finished, it stopped at blue-1"* ]]
	touch "$SEEN.good"
	run -0 steer rolling --resume --json
	jq -e '.ok and ([.rolling.servers[].step] == ["done", "done"])' <<<"$output"
	[[ $(cat "$SEEN") == $'blue-1\nblue-1\nblue-2' ]]
	run -1 --separate-stderr steer rolling --resume
	[[ $stderr == *"no rolling update to go on with"* ]]
}

@test "--abort leaves the server whose hook failed drained and names it" {
	hook 'exit 1'
	run -1 steer rolling blue --hook "$HOOK"
	run -0 steer rolling --abort
	[[ $output == *"still drained"*"blue-1"* ]]
	[[ $(state_of blue-1) == drain && ! -e $STATE/rolling.json ]]
	run -0 steer rolling --abort
	[[ $output == "there is no rolling update to end" ]]
}

@test "a check that never succeeds stops it; one that needs a moment does not" {
	hook true
	run -9 --separate-stderr steer rolling blue --hook "$HOOK" --check 'exec sleep 60' --timeout 300ms
	[[ $stderr == *"the check of blue-1: it did not end within"* ]]
	[[ $(state_of blue-1) == drain ]]
	run -0 steer rolling --resume --timeout 20s \
		--check "echo >>$SEEN; test \$((\$(wc -l <$SEEN) % 2)) = 0"
	(($(wc -l <"$SEEN") == 4))
}

@test "a hook that hangs is ended with all that it started" {
	hook "sleep 1000 & echo \$! >$SEEN; sleep 1000"
	run -9 --separate-stderr steer rolling blue --hook "$HOOK" --timeout 300ms
	[[ $stderr == *"did not end within 0.3s and was ended"* ]]
	wait_for eval '! kill -0 "$(cat "$SEEN")" 2>/dev/null'
	[[ $(state_of blue-1) == drain ]]
}

@test "a hook that crashes, cannot be run or is not there is told from one that fails" {
	hook 'kill -SEGV $$'
	run -1 --separate-stderr steer rolling blue --hook "exec $HOOK"
	[[ $stderr == *"signal 11"* ]]
	steer -q rolling --abort
	steer -q ready blue
	chmod -x "$HOOK"
	before=$(revision)
	run -2 --separate-stderr steer rolling blue --hook "$HOOK --now"
	[[ $stderr == *"$HOOK is not executable"* ]]
	run -2 --separate-stderr steer rolling blue --hook "$HOOK.none"
	[[ $stderr == *"No such file"* ]]
	(($(revision) == before)) # no server was drained for it
	run -1 --separate-stderr steer rolling blue --hook "exec no-such-command-anywhere"
	[[ $stderr == *"was not found"* ]]
}

@test "a hook may call steerctl, but not begin another update" {
	hook "$(own_steerctl) weight green-1 \$((RANDOM % 900 + 2)) || exit 1" \
		"$(own_steerctl) rolling green --hook true && exit 2" \
		"(($(printf '$?') == 6))"
	run -0 steer rolling blue --hook "$HOOK"
	grep -q 'another rolling update is running' "$STATE/rolling/blue-1.log"
	steer -q weight green-1 1
}

@test "a second update at the same time is refused, other commands are not" {
	hook "touch $SEEN; until [[ -e $SEEN.go ]]; do read -rt 0.02 <> <(:); done; exit 0"
	begin "$HOOK"
	wait_for test -e "$SEEN"
	run -6 --separate-stderr steer rolling green --hook true
	[[ $stderr == *"another rolling update is running"* ]]
	run -0 steer set canary 5%
	run -0 steer rollback
	touch "$SEEN.go"
	wait "$first" || { cat "$BATS_TEST_TMPDIR/out"; false; }
}

@test "killed in a hook, the next run tells where, and goes on" {
	hook "touch $SEEN; [[ -e $SEEN.go ]] || exec sleep 1000"
	begin "exec $HOOK"
	wait_for test -e "$SEEN"
	kill -9 "$first" && { wait "$first" || true; }
	[[ $(state_of blue-1) == drain ]]
	run -1 --separate-stderr steer rolling blue --hook true
	[[ $stderr == *"stopped at blue-1"* ]]
	touch "$SEEN.go"
	run -0 steer rolling --resume
	[[ $output == *"2 servers updated"* ]]
}

@test "told to end, it ends the hook and leaves the server drained" {
	hook "echo \$\$ >$SEEN; exec sleep 1000"
	begin "exec $HOOK"
	wait_for test -s "$SEEN"
	kill -TERM "$first"
	wait "$first" && status=0 || status=$?
	((status == 1))
	grep -q interrupted "$BATS_TEST_TMPDIR/out"
	run ! kill -0 "$(cat "$SEEN")"
	[[ $(state_of blue-1) == drain ]]
}

@test "not more than allowed are out; the whole active pool at once is refused" {
	hook true
	run -7 --separate-stderr steer rolling blue --hook "$HOOK" --each 2
	[[ $stderr == *"rail 'health'"* ]]
	[[ $(state_of blue-1) == ready && ! -e $STATE/rolling.json ]]
	run -0 steer rolling green --hook "$HOOK" --each 2
	steer -q maint green-2
	run -7 --separate-stderr steer rolling green --hook "$HOOK" --max-unavailable 1
	[[ $stderr == *"1 backends of green are out of service for other reasons"* ]]
	run -0 steer rolling green --hook "$HOOK"
	[[ $output == *"1 servers updated, 1 were out of service and are so still"* ]]
	[[ $(state_of green-2) == maint ]]
	for option in "--each 0" "--max-unavailable -1" "--each two"; do
		# shellcheck disable=SC2086
		run -2 steer rolling green --hook "$HOOK" $option
	done
}

@test "a server that somebody put into maint meanwhile stays there" {
	hook "[[ \$STEER_BACKEND != green-1 ]] || $(own_steerctl) maint green-1"
	run -0 --separate-stderr steer rolling green --hook "$HOOK"
	[[ $stderr == *"somebody gave green-1 the state maint: it stays"* ]]
	[[ $(state_of green-1) == maint && $(state_of green-2) == ready ]]
}

@test "a damaged state file is named, not guessed" {
	echo '{' >"$STATE/rolling.json"
	run -1 --separate-stderr steer rolling blue --hook true
	[[ $stderr == *"$STATE/rolling.json is not the state of a rolling update"* ]]
	run -1 steer rolling --resume
	run -0 --separate-stderr steer rolling --abort
	[[ ! -e $STATE/rolling.json ]]
}

@test "what would be done is said without doing it" {
	before=$(revision)
	run -3 steer rolling blue --hook true --dry-run
	[[ $output == "would be: blue of shop, 1 at a time: blue-1 blue-2" ]]
	(($(revision) == before))
	[[ ! -e $STATE/rolling.json ]]
	run -2 steer rolling blue
	run -2 steer rolling --resume --abort
	run -4 steer rolling purple --hook true
}
