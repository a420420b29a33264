#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Real HTTP over native XDP in network namespaces: what operators do on an ordinary day.

bats_require_minimum_version 1.5.0

setup_file() {
	load operator.bash
	lab_begin light
}

teardown_file() {
	load operator.bash
	lab_end
}

setup() {
	load operator.bash
	cd "$BATS_TEST_DIRNAME/../.."
}

# Answers of one new connection per client: "NAME COUNT" lines.
answers4() {
	scripts/lab exec "$LAB" client "$TOOLS"/httpload -s 198.18.0.1-198.18.3.232 203.0.113.10:80
}

answers6() {
	scripts/lab exec "$LAB" client "$TOOLS"/httpload -s 2001:db8:1::/55 '[2001:db8::10]:80'
}

# Clients of 1,000 that pool $1 got, from answers on standard input.
pool_count() {
	awk -v pool="$1" '{ split($1, n, "-"); if (n[1] == pool) s += $2 } END { print s + 0 }'
}

@test "a command before up says so and exits 1" {
	run -1 steer status
	[[ $output == *"not up"* ]]
}

@test "up attaches natively and everybody meets blue" {
	steer up
	[[ $(answers4 | pool_count blue) == 1000 ]]
	[[ $(answers6 | pool_count blue) -ge 256 ]]
}

@test "canary 25% gives a quarter of the clients, within 4 sigma, and the same ones twice" {
	steer set canary 25%
	first=$(answers4)
	count=$(pool_count canary <<<"$first")
	((count > 195 && count < 305))
	[[ $(answers4) == "$first" ]]
}

@test "switch takes what blue had, rollback gives it back, twice is once" {
	steer switch green
	[[ $(answers4 | pool_count blue) == 0 ]]
	steer rollback
	[[ $(answers4 | pool_count blue) == 1000 ]]
	steer rollback
	[[ $(answers6 | pool_count blue) -ge 256 ]]
}

@test "rollback works without journal and configuration file" {
	steer switch green
	mv "$STEER_STATE" "$STEER_STATE.gone"
	STEER_CONFIG=/nonexistent steer rollback
	[[ $(answers4 | pool_count blue) == 1000 ]]
	rm -rf "$STEER_STATE"
	mv "$STEER_STATE.gone" "$STEER_STATE"
	steer set canary 1%
	steer verify
}

@test "status --json names what is wanted, and the service carries its revision" {
	steer set canary 5%
	run -0 steer --json status
	jq -e '.services[0] | .revision > 1 and .active == "blue" and
		(.pools[] | select(.name == "canary") | .share_slots == 3277)' <<<"$output"
}

@test "two commits at once are both in the history, none is lost" {
	before=$(steer --json history | jq '.revisions | length')
	steer set canary 10% &
	steer set canary 11%
	wait $!
	[[ $(steer --json history | jq '.revisions | length') == $((before + 2)) ]]
	steer verify
}

@test "a bare number is refused with the percentage that was meant" {
	run -2 steer set canary 5
	[[ $output == *"5%"* ]]
}

@test "an unknown pool is refused by name" {
	run -4 steer set canari 5%
	[[ $output == *"canary"* ]]
}

@test "down leaves nothing pinned" {
	steer down
	[[ ! -e /sys/fs/bpf/steer/$LAB ]]
}
