#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Nobody is cut off: open connections finish where they began, whatever is committed meanwhile.
#
# STEER_STRESS_COMMITS (60) and STEER_STRESS_SEED (1) make longer and other runs.

bats_require_minimum_version 1.5.0
load operator

readonly servers='b1:blue-1 b2:blue-2 b3:green-1 b4:green-2 b5:canary-1'

setup_file() {
	lab_begin stress
	export MORE_COMMANDS=
	sed -i 's|frontends: \[|&203.0.113.10:7/tcp, "[2001:db8::10]:7/tcp", |' "$STEER_CONFIG"
	start_echo_servers
}

teardown_file() {
	end_processes
	lab_end
}

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	steer -q up
	! steer help 2>/dev/null | grep -qE '^ *drain ' || MORE_COMMANDS=yes
}

teardown() {
	steer -q --yes down || true
}

# on_client CMD...
on_client() {
	nsenter --net="/run/netns/$LAB-client" "$@"
}

start_echo_servers() {
	local entry
	for entry in $servers; do
		nsenter --net="/run/netns/$LAB-${entry%:*}" "$TOOLS/echo" "${entry#*:}" 7 \
			>"$WORK/${entry%:*}.echo" 3>&- &
		echo $! >>"$WORK/pids"
	done
	for entry in $servers; do
		wait_for grep -q listening "$WORK/${entry%:*}.echo"
	done
}

end_processes() {
	local pid
	while read -r pid; do
		kill "$pid" 2>/dev/null || true
	done <"$WORK/pids"
}

# start_talk NAME OPTIONS...: 200 long connections and short ones, until end_talk NAME.
start_talk() {
	nsenter --net="/run/netns/$LAB-client" "$TOOLS/talk" -n 200 "${@:2}" -o "$WORK/$1.log" \
		198.18.0.1-198.18.0.250 203.0.113.10:7 \
		2001:db8:1::/56 '[2001:db8::10]:7' >"$WORK/$1.counts" 2>"$WORK/$1.complaints" 3>&- &
	talk=$!
	echo "$talk" >>"$WORK/pids"
}

end_talk() {
	kill "$talk"
	wait "$talk" || true
	cat "$WORK/$1.counts" "$WORK/$1.complaints"
}

log_has() { # NAME LINES
	(($(wc -l <"$WORK/$1.log") >= $2))
}

# count NAME KEY: what talk counted.
count() {
	awk -v key="$2" '$1 == key { print $2 }' "$WORK/$1.counts"
}

# report NAME: the counts, shown also when the test passes.
report() {
	echo "# $1: $(head -n 5 "$WORK/$1.counts" | tr '\n' ' ')" >&3
}

# Backends that new connections may meet now, each between commas.
serving() {
	steer --json status | jq -r '[.services[0].pools[].backends[] | select(.slots > 0) | .name]
		| "," + join(",") + ","'
}

random_command() {
	local pools=(blue green canary) backends=(blue-1 blue-2 green-1 green-2)
	case $((RANDOM % (${#MORE_COMMANDS} ? 12 : 9))) in
	0 | 1) echo "switch ${pools[RANDOM % 2]}" ;;
	2 | 3) echo "set canary $((RANDOM % 51))%" ;;
	4) echo "set canary 0%" ;;
	5) echo "rollback" ;;
	6 | 7) echo "rollback --step" ;;
	8) echo "weight ${backends[RANDOM % 4]} $((RANDOM % 3 + 1))" ;;
	9) echo "drain ${backends[RANDOM % 4]}" ;;
	*) echo "ready ${backends[RANDOM % 4]}" ;;
	esac
}

# random_commits NAME COUNT: most of them while the one before is still a transition. One line
# per commit in NAME.states: when it began, when it was over, who serves since, the command.
random_commits() {
	local i words began over status
	echo "0 0 $(serving) start" >"$WORK/$1.states"
	for ((i = 0; i < $2; i++)); do
		read -ra words <<<"$(random_command)"
		began=${EPOCHREALTIME/./}
		steer -q --yes "${words[@]}" >"$WORK/said" 2>&1 && status=0 || status=$?
		over=${EPOCHREALTIME/./}
		# A rail may refuse to drain the last backend of a pool.
		if ((status != 0 && status != 7)); then
			echo "'${words[*]}' ended with $status: $(<"$WORK/said")"
			return 1
		fi
		echo "$began $over $(serving) ${words[*]}" >>"$WORK/$1.states"
		((RANDOM % 4)) || read -rt "0.$((RANDOM % 3 + 1))" <> <(:) || true
	done
}

# Connections that a backend answered which served nobody new at any time between the
# connection's beginning and its answer. A state lasts from its commit to the next one's end.
misrouted() {
	awk 'FNR == NR { began[NR] = $1; over[NR - 1] = $2; names[NR] = $3; n = NR; next }
		{ for (i = n; i; i--) if ($2 >= began[i] && (i == n || $1 <= over[i]) &&
			index(names[i], "," $4 ",")) next
		print; bad++ } END { exit bad > 0 }' "$WORK/$1.states" "$WORK/$1.log"
}

file_has() { # BYTES
	(($(stat -c %s "$WORK/file" 2>/dev/null || echo 0) >= $1))
}

@test "a download of 60 MB runs through a switch and a rollback" {
	on_client curl -sS --fail --interface 198.18.7.7 --limit-rate 20M -o "$WORK/file" \
		http://203.0.113.10/download 2>"$WORK/curl" 3>&- &
	download=$!
	echo "$download" >>"$WORK/pids"
	wait_for file_has 5000000
	steer -q switch green
	on_client "$TOOLS/httpload" -s 198.18.7.7 203.0.113.10:80 | grep -q ^green
	wait_for file_has 30000000
	steer -q rollback
	on_client "$TOOLS/httpload" -s 198.18.7.7 203.0.113.10:80 | grep -q ^blue
	run ! file_has 60000000
	wait "$download" || { cat "$WORK/curl"; false; }
	cmp "$WORK/file" "$WORK/lab/download"
}

@test "random commits break no connection and misroute none" {
	RANDOM=${STEER_STRESS_SEED:-1}
	commits=${STEER_STRESS_COMMITS:-60}
	start_talk calm -m 8 -g 4 -w 10000 -t $((commits + 60))
	wait_for log_has calm 200
	random_commits calm "$commits"
	end_talk calm
	(($(count calm broken) == 0 && $(count calm failed) == 0))
	(($(count calm short_failed) == 0 && $(count calm short_ok) > 10 * commits))
	(($(count calm established) > 200))
	misrouted calm
	report calm
	for pool in blue green canary; do
		grep -q " $pool-1$" "$WORK/calm.log"
	done
	steer verify
}

# flood SECONDS RATE SOURCES: forged SYN, FIN, RST and ACK, in the background.
flood() {
	nsenter --net="/run/netns/$LAB-client" "$TOOLS/flood" -t "$1" -r "$2" \
		wan0 02:00:00:00:01:02 "$3" 203.0.113.10:7 >"$WORK/flood" 3>&- &
	flood=$!
	echo "$flood" >>"$WORK/pids"
}

# flows KEY: sum over the CPUs of a counter of the flow table.
flows() {
	bpftool -j map dump pinned "$PINS/maps/flow_counters" |
		jq "[.[].formatted.values[].value.$1] | add"
}

# A part of the flood comes again and again from the same 131,072 pairs of address and port, so
# that its records live; the budget of births lets them fill the table in 16 s.
@test "a flood of forged SYN, FIN, RST and ACK and a full flow table break no connection" {
	RANDOM=${STEER_STRESS_SEED:-1}
	steer -q --yes down
	rm -rf "$STATE"
	echo 'limits: {flows: 4096}' >>"$STEER_CONFIG"
	steer -q up
	scripts/lab exec "$LAB" sw ip -force link set edge xdpdrv \
		obj "${STEER_BUILD:-build}/tests/harness/flood.bpf.o" program sieve
	start_talk flood -m 4 -g 20 -w 20000 -t 120
	wait_for log_has flood 200
	steer -q switch green
	flood 18 100000 198.18.9.0/31
	wait "$flood"
	full=$(flows full)
	flood 12 500000 198.18.0.0/16
	random_commits flood 15
	wait "$flood"
	end_talk flood
	report flood
	(($(count flood broken) == 0 && $(count flood established) > 200))
	echo "# $(<"$WORK/flood"), $(($(flows full) - full)) births found the table full" >&3
	(($(flows full) > full + 10000))
	read -r _ sent <"$WORK/flood"
	((sent > 1000000))
	steer verify
}
