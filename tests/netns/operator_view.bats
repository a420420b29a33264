#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What operators see and what stops them: status, live view, rails, history, explain.

bats_require_minimum_version 1.5.0

setup_file() {
	load operator.bash
	lab_begin view
	steer up
}

teardown_file() {
	load operator.bash
	lab_end
}

setup() {
	load operator.bash
	cd "$BATS_TEST_DIRNAME/../.."
}

# One new connection of each of 1,000 clients.
connect() {
	scripts/lab exec "$LAB" client "$TOOLS"/httpload -s 198.18.0.1-198.18.3.232 203.0.113.10:80
}

# Put table object $2 where the program reads number $1.
swap_table() {
	local bpftool pins=/sys/fs/bpf/steer/$LAB
	bpftool=$(command -v /usr/sbin/bpftool /usr/local/sbin/bpftool bpftool | head -n 1)
	"$bpftool" map update pinned "$pins/maps/table_objects" key "$1" 0 0 0 \
		value pinned "$pins/table/$2"
}

@test "the actual share is what the clients got since the revision, unknown without its note" {
	connect >/dev/null # what was before the revision does not count
	steer set canary 25%
	run -0 steer status --json
	jq -e '.services[0].pools[2].actual_share == null and .services[0].actual.total == 0' \
		<<<"$output"
	got=$(connect | awk '$1 ~ /^canary/ { s += $2 } END { printf "%.2f%%", s / 10 }')
	run -0 steer status --json
	jq -e --arg got "$got" '.services[0] | .actual.total == 1000 and
		.actual.by == "new_connections" and .pools[2].actual_share == $got' <<<"$output"
	rm "$STEER_RUN/$LAB/since.json"
	run -0 steer status --json
	jq -e '.services[0].pools[2].actual_share == null' <<<"$output"
	steer rollback
}

@test "status --json has every key of the contract" {
	run -0 steer status --json
	jq -e '[.services[] | has("name", "revision", "active", "transition", "pools")] | all' <<<"$output"
	jq -e '[.services[].pools[] | has("name", "version", "share_slots", "share", "actual_share",
		"backends")] | all' <<<"$output"
	jq -e '[.services[].pools[].backends[] | has("name", "address", "state", "health", "weight",
		"slots", "packets", "bytes", "new_connections")] | all' <<<"$output"
}

@test "a client joins at the share that explain foretells, not one slot before" {
	run -0 steer explain 198.18.0.7:4711 --json
	slots=$(jq '.next[] | select(.pool == "canary" and .step == "joins") | .share_slots' <<<"$output")
	jq -e '.rule == "active" and .pool == "blue" and (.slot + .rank) >= 0' <<<"$output"
	steer set canary "$((slots - 1))/65536"
	[[ $(steer explain 198.18.0.7 --json | jq -r .pool) == blue ]]
	steer set canary "$slots/65536"
	run -0 steer explain 198.18.0.7 --json
	jq -e --argjson slots "$slots" '.pool == "canary" and .rule == "share" and
		(.next[] | select(.step == "leaves") | .share_slots == $slots)' <<<"$output"
	steer rollback
}

@test "what moves is said in slots and percent, and the undo line undoes it" {
	run -0 steer set canary 5%
	[[ ${lines[0]} == *"slots moved: 3277 forward (5%), 0 back"* ]]
	[[ $output == *"undo: steerctl rollback --step --instance $LAB"* ]]
	run -0 steer rollback --step
	[[ ${lines[0]} == *"0 forward, 3277 back (5%)"* ]]
	[[ $(steer get canary) == "canary 0%" ]]
}

@test "the undo line is right also where a switch moves nobody" {
	steer set canary 100%
	run -0 steer switch canary
	[[ ${lines[0]} != *"slots moved"* ]]
	undo=$(sed -n 's/^undo: steerctl //p' <<<"$output")
	# shellcheck disable=SC2086
	steer $undo
	[[ $(steer status --json | jq -r '.services[0].active') == blue ]]
	[[ $(steer get canary) == "canary 100%" ]]
	steer rollback
}

@test "--dry-run exits 3 when it would change something, else 0, and changes nothing" {
	before=$(revision)
	run -3 steer set canary 5% --dry-run
	[[ $output == "would be: "* && $output != *undo* ]]
	run -0 steer set canary 0% --dry-run
	run -3 steer switch green --dry-run
	run -0 steer switch blue --dry-run
	run -3 steer weight blue-1 2 --dry-run
	run -0 steer rollback --dry-run
	run -0 steer apply --dry-run
	run -0 steer up --dry-run
	run -3 steer lock -m freeze --dry-run
	run -3 steer down --dry-run
	[[ $(revision) == "$before" ]]
	steer set canary 5%
	run -3 steer rollback --dry-run
	steer rollback
}

@test "rail health refuses clients for a pool without backends, and the undo knows it" {
	steer weight canary-1 0
	run -7 --separate-stderr steer set canary 5%
	[[ $stderr == *"rail 'health'"*"canary-1: ready, weight 0"*"--override health"* ]]
	steer set canary 5% --override health
	run -0 steer weight canary-1 1
	undo=$(grep -oE 'weight canary-1 0 .*' <<<"$output")
	# shellcheck disable=SC2086
	steer $undo
	steer weight canary-1 1
	steer rollback
}

@test "a rollback to a revision is held by no rail" {
	steer set canary 5%
	with_canary=$(revision)
	steer rollback
	steer weight canary-1 0
	run -0 --separate-stderr steer rollback --to "$with_canary"
	[[ $stderr == *"in spite of rail 'health'"* ]]
	steer weight canary-1 1
	steer rollback
}

@test "a lock says who, why and until when; rollback goes on; unlock ends it" {
	steer set canary 5%
	SUDO_USER=anna steer lock -m "payment incident" --ttl 1h
	run -7 --separate-stderr steer switch green
	[[ $stderr == *"rail 'lock'"*"locked it on 20"*" until 20"*": payment incident"*"steerctl unlock"* ]]
	run -7 --separate-stderr steer down
	run -7 --separate-stderr steer weight blue-1 2 --json
	jq -e '.rail == "lock" and .code == 7 and .changes == []' <<<"$output"
	[[ $(steer status) == *"locked: "*"payment incident"* ]]
	run -0 --separate-stderr steer rollback
	[[ $stderr == *"in spite of rail 'lock'"* ]]
	steer set canary 1% --override lock
	steer unlock
	[[ $(steer unlock) == "not locked" ]]
	steer rollback
}

@test "drift: a table swapped behind steer is named by verify and refused, rollback works" {
	steer set canary 5%
	first=$(find "/sys/fs/bpf/steer/$LAB/table" -type f -printf '%f\n' | sort -n | head -n 1)
	tables=$(find "/sys/fs/bpf/steer/$LAB/table" -type f -printf '%f\n')
	for table in $tables; do
		[[ $table == "$first" ]] || swap_table "$table" "$first"
	done
	run -1 --separate-stderr steer verify
	[[ $stderr == *"another one in the kernel"* ]]
	run -7 --separate-stderr steer set canary 6%
	[[ $stderr == *"rail 'drift'"*"--override drift"* ]]
	steer rollback
	for table in $tables; do
		[[ ! -e /sys/fs/bpf/steer/$LAB/table/$table ]] || swap_table "$table" "$table"
	done
	steer verify
}

@test "readers say that the kernel is ahead of the journal, the next writer ends that" {
	cp -a "$STEER_STATE" "$WORK/older"
	steer set canary 5%
	rm -rf "$STEER_STATE"
	mv "$WORK/older" "$STEER_STATE"
	run -0 --separate-stderr steer get
	[[ $stderr == *"the journal ends at"*"the next command that changes something"* ]]
	run -0 --separate-stderr steer set canary 6%
	[[ $stderr == *adopted* ]]
	run -0 --separate-stderr steer get
	[[ -z $stderr ]]
	steer rollback
}

@test "a journal ahead of the kernel is drift; a commit that overrules it takes the next number" {
	cp -a "$STEER_STATE" "$WORK/older"
	steer set canary 5%
	steer rollback
	last=$(revision)
	cp -a "$STEER_STATE" "$WORK/newer"
	steer down
	rm -rf "$STEER_STATE"
	mv "$WORK/older" "$STEER_STATE"
	steer up
	rm -rf "$STEER_STATE"
	mv "$WORK/newer" "$STEER_STATE"
	run -7 --separate-stderr steer set canary 5%
	[[ $stderr == *"rail 'drift'"* ]]
	steer set canary 5% --override drift
	[[ $(revision) == $((last + 1)) ]]
	steer verify
	steer rollback
}

@test "history names who, when in UTC and the command without what only says where" {
	SUDO_USER=anna steer set canary 5% -s shop --reason "release 2.4" --timeout 3s
	run -0 steer history --json
	jq -e '.revisions[-1] | .command == "set canary 5% -s shop" and .reason == "release 2.4" and
		(.who | length) > 0 and (.when | test("^20[0-9-]+T[0-9:]+Z$"))' <<<"$output"
	[[ $(cat /proc/self/loginuid) != 4294967295 ]] ||
		[[ $(jq -r '.revisions[-1].who' <<<"$output") == anna ]]
	run -0 steer history
	[[ $output == *"release 2.4"* && $output != *" "$'\n'* ]] # no blanks at the ends
	steer rollback
}

@test "diff tells shares and how many clients move, tag moves a name and says from where" {
	a=$(revision)
	steer set canary 5%
	run -0 steer diff "$a" "$(revision)"
	[[ $output == *"shop canary: share 0% -> 5%"*"5.00% of the clients meet another pool"* ]]
	steer tag "$a" stable
	run -0 steer tag "$(revision)" stable
	[[ $output == *"was revision $a"*"undo: steerctl tag $a stable"* ]]
	steer rollback --to stable
	steer rollback
}

@test "status -w without a terminal is one line per change, none left out" {
	timeout 20 scripts/lab exec "$LAB" edge "$STEERCTL" --instance "$LAB" status -w \
		>"$WORK/watch" &
	watcher=$!
	for ((i = 0; i < 100; i++)); do [[ -s $WORK/watch ]] && break; sleep 0.1; done
	steer set canary 5%
	steer set canary 6%
	last=$(revision)
	for ((i = 0; i < 100; i++)); do
		grep -q "at revision $last: " "$WORK/watch" && break
		sleep 0.1
	done
	kill "$watcher"
	wait "$watcher" || true
	grep -q "Z revision $((last - 1)) by .*: set canary 5%" "$WORK/watch"
	grep -q "Z revision $last by .*: set canary 6%" "$WORK/watch"
	grep -q "Z at revision $last: shop: blue 94%, canary 6%" "$WORK/watch"
	(($(wc -l <"$WORK/watch") == 4))
	steer rollback
}

@test "status -w on a terminal ends with q and gives the terminal back" {
	watch="scripts/lab exec $LAB edge $STEERCTL --instance $LAB status -w"
	: >"$WORK/screen"
	{
		for ((i = 0; i < 150; i++)); do
			(($(grep -o 'q quits' "$WORK/screen" | wc -l) < 2)) || break
			sleep 0.1
		done
		printf q
	} | script -qefc "stty -g; $watch; echo status \$?; stty -g" "$WORK/screen"
	mapfile -t shown < <(grep -aE '^[0-9a-f]+:[0-9a-f:]+' "$WORK/screen" | tr -d '\r')
	[[ ${#shown[@]} == 2 && ${shown[0]} == "${shown[1]}" ]]
	grep -aq 'status 0' "$WORK/screen"
	grep -aq 'CONN/s' "$WORK/screen"
	grep -aqF $'\e[?25h\e[?1049l' "$WORK/screen"
}

@test "colour is for terminals only, and not with NO_COLOR" {
	[[ $(steer status) != *$'\e['* ]]
	[[ $(script -qec "scripts/lab exec $LAB edge $STEERCTL --instance $LAB status" /dev/null) == *$'\e[32m'* ]]
	[[ $(NO_COLOR=1 script -qec "scripts/lab exec $LAB edge $STEERCTL --instance $LAB status" /dev/null) != *$'\e[3'* ]]
	[[ $(script -qec "scripts/lab exec $LAB edge $STEERCTL --instance $LAB status --no-color" /dev/null) != *$'\e[3'* ]]
}
