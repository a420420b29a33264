#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What operators mistype, misconfigure and misplace: a sentence that says what was read and what
# is accepted, the right exit code, valid JSON, and nothing changed.

bats_require_minimum_version 1.5.0

setup_file() {
	load operator.bash
	lab_begin mistakes
	steer -q up
	steer -q set canary 3%
}

teardown_file() {
	load operator.bash
	lab_end
}

setup() {
	load operator.bash
	cd "$BATS_TEST_DIRNAME/../.."
	before=$(state)
}

# Everything that a mistake must leave alone: revision, shares, weights, digest, journal.
state() {
	steer get
	steer status | grep -v PACKETS | sed "s/, [0-9hms]* left//" # of a transition
	wc -c <"$STATE/journal"
}

unchanged() {
	diff <(echo "$before") <(state)
}

# refused CODE WORDS ARGUMENTS...: the exit code, and standard error that begins with the program
# and holds WORDS (a pattern); then the same with --json: one object that says it, too.
refused() {
	local code=$1 words=$2 json
	shift 2
	run "-$code" --separate-stderr steer "$@"
	# shellcheck disable=SC2053
	[[ $stderr == "steerctl: "*$words* && -z $output ]] ||
		{ printf '%s\n' "said: $stderr" "want: $words"; return 1; }
	run "-$code" --separate-stderr steer --json "$@"
	answers+=("$output")
	((${#lines[@]} == 1)) || { echo "not one line: $output"; return 1; }
	[[ $output == '{"schema":"steer/1","ok":false,"code":'"$code"',"command":'* ]]
	[[ -z $stderr ]] || { echo "beside JSON: $stderr"; return 1; }
}

# All JSON answers so far are JSON, and each has a sentence. (jq is slow to start: once.)
answers_are_json() {
	printf '%s\n' "${answers[@]}" | jq -es --argjson count "${#answers[@]}" 'length == $count and
		all(.[]; .ok == false and (.error | length) > 10 and .changes == [])' >/dev/null
}

# bad_config PLACE WORDS: $BAD is refused by check, apply and up, at LINE:COL with source and caret.
bad_config() {
	local command
	for command in check apply up; do
		run -2 --separate-stderr steer -c "$BAD" "$command"
		# shellcheck disable=SC2053
		[[ $stderr == "steerctl: $BAD:$1: "*$2*$'\n'*$'\n'*^ ]] ||
			{ printf '%s\n' "said: $stderr" "want: $1: $2"; return 1; }
	done
}

# edited SED: a configuration that was edited wrongly.
edited() {
	BAD=$WORK/bad.yaml
	sed "$1" "$STEER_CONFIG" >"$BAD"
	run ! cmp -s "$BAD" "$STEER_CONFIG"
}

@test "a configuration with a wrong key or type is refused at its place" {
	edited 's/active: blue/actve: blue/'
	bad_config 15:5 "unknown key 'actve' in a service; accepted are: *did you mean 'active'?"
	edited 's/^    active: blue/&\n&/'
	bad_config 16:5 "key 'active' is there twice, first in line 15"
	edited 's/interfaces: .*/interfaces: {a: b}/'
	bad_config 1:13 "interfaces is a map; a list like \[eth0\] is accepted"
	edited 's/    frontends: .*/    frontends: 5/'
	bad_config 4:16 "frontends is '5'; a list like *is accepted"
	edited 's/blue-2: 10.0.0.12/blue-2: {address: 10.0.0.12, weight: -3}/'
	bad_config 8:76 "weight is '-3'; a whole number from 1 to 1000 is accepted"
	edited 's/"2.3.9"/\&a &/'
	bad_config 7:18 "anchor '&a' is not accepted"
	edited '/active: blue/d'
	bad_config 3:3 "no key 'active'; it is required"
	unchanged
}

@test "a configuration that contradicts itself is refused at its place" {
	edited 's/10.0.0.12/10.0.0.300/'
	bad_config 8:47 "'10.0.0.300' is not an IP address; 192.0.2.1 or 2001:db8::1 is"
	edited 's/203.0.113.10:80.tcp/&, &/'
	bad_config 4:38 "frontend '203.0.113.10:80/tcp' already belongs to service 'shop'"
	edited 's/203.0.113.10:80.tcp/203.0.113.10:80000\/tcp/'
	bad_config 4:17 "port '80000' is not a port; 0 (any) to 65535 is accepted"
	edited 's/blue-2: 10.0.0.12/blue-1: 10.0.0.12/'
	bad_config 8:39 "key 'blue-1' is there twice"
	edited 's/green-1: 10.0.0.21/blue-1: 10.0.0.21/'
	bad_config 11:20 "backend 'blue-1' is also in pool 'blue'; a name is accepted once"
	edited 's/active: blue/active: blu/'
	bad_config 15:13 "has no pool 'blu'; *did you mean 'blue'?"
	edited 's/backends: {blue-1.*/backends: {}/'
	bad_config 15:13 "active pool 'blue' has no backends; a pool with at least one is accepted"
	edited 's/interfaces: .*/interfaces: []/'
	bad_config 1:13 "interfaces is an empty list; at least one is required"
	unchanged
}

@test "what is no configuration is refused: binary, empty, cut, two in one, nested for ever" {
	BAD=$WORK/bad.yaml
	printf 'interfaces: \xff\xfe\033[31m\n' >"$BAD"
	bad_config 1:15 "byte 0x1b is not text; a text in UTF-8 is accepted"
	[[ $stderr != *$'\033'* && $stderr != *$'\xff'* ]]
	: >"$BAD"
	bad_config 1:1 "the file is empty; a map of keys is accepted"
	head -c 150 "$STEER_CONFIG" >"$BAD"
	bad_config 6:7 "a pool has no key 'backends'; it is required"
	printf 'interfaces: [wan0]\n---\nservices: {}\n' >"$BAD"
	bad_config 2:1 "a second document begins here; one is accepted"
	yes '[' | head -c 200000 >"$BAD"
	bad_config 17:1 "more than 16 lists and maps inside each other"
	unchanged
}

@test "what cannot be read is refused: ten megabytes, a directory, nothing, no permission" {
	local command
	yes '# padding' | head -c 10000000 >"$WORK/bad.yaml"
	for command in check apply up; do
		refused 2 "$WORK/bad.yaml: the file is longer than 4194304 bytes" \
			-c "$WORK/bad.yaml" "$command"
		refused 2 "cannot read configuration '$WORK': Is a directory" -c "$WORK" "$command"
		refused 2 "cannot open configuration '$WORK/nix.yaml': No such file" \
			-c "$WORK/nix.yaml" "$command"
	done
	answers_are_json
	unchanged
}

@test "a share is refused with what was meant" {
	refused 2 "share '5' has no unit: write 5%" set canary 5
	refused 2 "share '0.05' has no unit: write 5%" set canary 0.05
	refused 2 "share '101%' is more than 100%" set canary 101%
	refused 2 "share '-5%' is outside 0% to 100%" set canary -5%
	refused 2 "'x' is not a share (accepted: 5%, 0.25%, 1/400)" set canary x
	refused 2 "'1/0' is not a share" set canary 1/0
	refused 2 "'' is not a share" set canary ''
	refused 2 "'0.0000001%' is less than one slot: the smallest is 1/65536" set canary 0.0000001%
	refused 2 "would sum to 120.00%" set canary 60% green 60%
	refused 2 "pool 'blue' is active and gets what the others leave: 97.00%, not 50.00%" \
		set blue 50%
	refused 2 "pool 'canary' is given two shares" set canary 5% canary 6%
	refused 2 "'green' has no share" set canary 5% green
	answers_are_json
	unchanged
}

@test "an unknown name is met with the one that was meant, or with those there are" {
	refused 4 "there is no pool 'nopool'; there are: blue, green, canary" set nopool 5%
	refused 4 "there is no pool 'canari' (did you mean 'canary'?)" set canari 5%
	refused 4 "there is no pool 'purple'; there are: " switch purple
	refused 4 "there is no pool 'canari' (did you mean 'canary'?)" get canari
	refused 4 "there is no service 'shap' (did you mean 'shop'?)" -s shap set canary 5%
	refused 4 "there is no service 'mail'; there are: shop" -s mail status
	refused 4 "there is no backend 'blue-9' (did you mean 'blue-1'?)" weight blue-9 2
	refused 4 "there is no backend 'nobackend'" weight nobackend 2
	refused 4 "there is no revision or tag '999'" rollback --to 999
	refused 4 "there is no revision or tag 'notag'" rollback --to notag
	refused 4 "there is no revision or tag '999'" diff 1 999
	refused 4 "there is no revision or tag 'notag'" diff notag 1
	refused 4 "there is no revision or tag '999'" tag 999 stable
	answers_are_json
	unchanged
}

@test "arguments of any bytes are quoted harmlessly" {
	run -4 --separate-stderr steer set $'ca\xff\033[31m' 5%
	[[ $stderr == "steerctl: there is no pool 'ca??[31m'"* ]]
	refused 4 "there is no service '?'" -s $'\xff' status
	refused 2 "'?" tag 1 $'\xff'
	answers_are_json
	unchanged
}

@test "commands and options that do not exist, or not so, are usage errors" {
	refused 2 "there is no command 'swich' (did you mean 'switch'?)" swich green
	refused 2 "there is no command ''" ''
	refused 2 "there is no option '--frobnicate'; see 'steerctl help'" --frobnicate status
	refused 2 "there is no option '--dryrun' (did you mean " status --dryrun
	refused 2 "there is no option '-x'" -x
	refused 2 "option '--timeout' needs a value" status --timeout
	refused 2 "set POOL SHARE" set canary
	refused 2 "set POOL SHARE" set
	refused 2 "switch POOL" switch
	refused 2 "switch POOL" switch green canary
	refused 2 "'rollback' takes no argument, not 'now'" rollback now
	refused 2 "weight NAME N" weight blue-1
	refused 2 "diff A B" diff 1
	refused 2 "--step and --to exclude each other" rollback --step --to 1
	refused 2 "--step is an option of 'rollback' only" set canary 5% --step
	refused 2 "-s and --all exclude each other" -s shop --all set canary 5%
	answers_are_json
	unchanged
}

@test "values out of range are refused with the range" {
	local value
	for value in -1 99999999 99999999999999999999999 2.5 two ''; do
		refused 2 "weight '$value' is not a whole number from 0 to 1000" weight blue-1 "$value"
	done
	for value in 5 abc -1s ''; do
		refused 2 "--timeout '$value' is not a duration (accepted: 500ms, 5s, 2m, 1h" \
			--timeout "$value" set canary 5%
	done
	for value in 999d 99999999999999999999s; do
		refused 2 "--timeout '$value' is longer than 24h" --timeout "$value" set canary 5%
	done
	for value in a/b '' .. a.b "$(printf 'x%.0s' {1..300})"; do
		refused 2 "--instance '$value' is not a name (" --instance "$value" status
	done
	refused 1 "steer is not up" --instance "$(printf 'x%.0s' {1..63})" status
	refused 2 "--if-rev 'abc' is not a revision number" --if-rev abc set canary 9%
	refused 2 "there is no rail 'nix' (rails: " --override nix set canary 9%
	for value in nonsense 1.2.3 198.18.0.1/24 ''; do
		refused 2 "'$value' is not an IP address" explain "$value"
	done
	refused 2 "'99999' is not a port" explain 198.18.0.1:99999
	for value in 99 'a b' '' a:b .hidden "$(printf 'x%.0s' {1..80})"; do
		refused 2 "'$value' " tag 1 "$value"
	done
	answers_are_json
	unchanged
}

@test "what is so already is done, and a dry run changes nothing" {
	run -0 steer switch blue
	[[ $output == *"already so (revision 2)"* ]]
	run -0 steer set canary 3%
	[[ $output == *"already so (revision 2)"* ]]
	for command in "set canary 9%" "switch green" rollback "rollback --to 1" "weight blue-1 5" \
		"tag 2 x" down; do
		# shellcheck disable=SC2086
		run -3 --separate-stderr steer --dry-run $command
		[[ $output == "would be: "* && -z $stderr ]]
		# shellcheck disable=SC2086
		run -3 --separate-stderr steer --json $command --dry-run
		[[ $output == *'"ok":true,"code":3,'*'"revision":{"before":2,"after":2}'* ]]
	done
	unchanged
}

@test "a pool without anybody to serve gets no clients" {
	steer -q weight canary-1 1000
	steer -q set canary 0%
	steer -q weight canary-1 0
	before=$(state)
	refused 7 "refused by rail 'health': pool 'canary' of shop *--override health" switch canary
	refused 7 "refused by rail 'health': " set canary 5%
	unchanged
	answers_are_json
	steer -q weight canary-1 1
	steer -q set canary 3%
}

@test "without privileges every command says which are missing" {
	local command
	chmod 755 "$WORK"
	cp "$STEERCTL" "$WORK/steerctl"
	for command in status "set canary 5%" "switch green" rollback "weight blue-1 2" verify stats \
		up apply down "explain 198.18.0.1" "tag 1 x"; do
		# shellcheck disable=SC2086
		run -13 --separate-stderr on_edge setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$WORK/steerctl" --instance "$LAB" $command
		[[ $stderr == "steerctl: not permitted"*"CAP_BPF and CAP_NET_ADMIN"* && -z $output ]]
	done
	run -13 --separate-stderr on_edge setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$WORK/steerctl" --instance "$LAB" --json history
	[[ $output == *'"code":13,'* ]]
	unchanged
}

@test "before up every command says so, changes nothing and leaves nothing" {
	local command
	for command in status get "set canary 5%" "switch green" rollback "rollback --step" \
		"rollback --to 1" "weight blue-1 2" "explain 198.18.0.1" verify stats "tag 1 x" apply; do
		# shellcheck disable=SC2086
		refused 1 "steer is not up" --instance "$LAB-none" $command
	done
	refused 1 "$LAB-none" --instance "$LAB-none" history
	run -0 steer --instance "$LAB-none" down
	[[ ! -e $PINS-none && ! -e $STATE-none ]]
	answers_are_json
	unchanged
}

@test "up on an interface that is not there is refused; what runs goes by what is in force" {
	edited 's/wan0/wan7/'
	run -0 --separate-stderr steer -c "$BAD" up
	[[ $stderr == *"the configuration file differs from what is in force"* ]]
	unchanged
	traffic_flows
	before=$(state)
	run ! --separate-stderr steer -c "$BAD" --instance "$LAB-none" up
	[[ $stderr == "steerctl: interface 'wan7' does not exist"* ]]
	[[ ! -e $PINS-none ]]
	rm -rf "$STATE-none"
	unchanged
}

@test "an interface that carries somebody else's program is left to it, by name" {
	on_edge ip link add other0 type veth peer name other1
	on_edge ip link set other0 xdpdrv obj "$WORK/lab/pass.bpf.o" sec xdp
	edited 's/wan0/other0/'
	run ! --separate-stderr steer -c "$BAD" --instance "$LAB-none" up
	[[ $stderr == "steerctl: interface other0 already carries XDP program 'pass' (id "*"detach it"* ]]
	[[ ! -e $PINS-none ]]
	[[ $(on_edge ip link show other0) == *"name pass"* ]]
	rm -rf "$STATE-none"
	on_edge ip link del other0
	unchanged
}

write_two_services() {
	cat >"$WORK/two.yaml" <<-'TEXT'
		interfaces: [lo]
		services:
		  shop:
		    frontends: [203.0.113.10:80/tcp]
		    pools:
		      blue: {backends: {blue-1: 10.0.0.11}}
		      canary: {backends: {canary-1: 10.0.0.31}}
		      idle: {backends: {}}
		    active: blue
		  forum:
		    frontends: [203.0.113.11:80/tcp]
		    pools:
		      blue: {backends: {blue-1: 10.0.0.11}}
		      canary: {backends: {canary-1: 10.0.0.31}}
		      red: {backends: {red-1: 10.0.0.12}}
		    active: blue
	TEXT
}

shares() {
	steer --instance "$LAB-two" get
}

@test "two services with pools of one name: which one is asked, --all changes both in one swap" {
	write_two_services
	local two=(--instance "$LAB-two")
	steer "${two[@]}" -q -c "$WORK/two.yaml" up 2>/dev/null
	refused 2 "several services have pool 'canary': shop, forum; say -s SERVICE, or --all" \
		"${two[@]}" set canary 5%
	refused 2 "several services have pool 'blue': shop, forum" "${two[@]}" switch blue
	refused 2 "several services have backend 'canary-1'" "${two[@]}" weight canary-1 3
	refused 4 "there is no pool 'red' in service shop; there are: blue, canary, idle" \
		"${two[@]}" -s shop switch red
	refused 4 "no service has all of these pools" "${two[@]}" set red 5% idle 5%
	refused 7 "refused by rail 'health': pool 'idle'" "${two[@]}" switch idle
	[[ $(shares) == "-s shop blue 100% canary 0% idle 0%"$'\n'"-s forum blue 100% canary 0% red 0%" ]]
	run -0 steer "${two[@]}" --all set canary 5%
	[[ $output == *"(revision 2, was 1)"* ]]
	[[ $(shares) == "-s shop blue 95% canary 5% idle 0%"$'\n'"-s forum blue 95% canary 5% red 0%" ]]
	steer "${two[@]}" -q -s forum set canary 7%
	[[ $(shares) == "-s shop blue 95% canary 5% idle 0%"$'\n'"-s forum blue 93% canary 7% red 0%" ]]
	steer "${two[@]}" -q set red 1%
	steer "${two[@]}" -q -s forum rollback
	[[ $(shares) == "-s shop blue 95% canary 5% idle 0%"$'\n'"-s forum blue 100% canary 0% red 0%" ]]
	steer "${two[@]}" -q verify
	steer "${two[@]}" -q down
	answers_are_json
	unchanged
}
