/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keys of a service that say how, not who: drain and UDP are taken into the policy, the others
 * are checked only. There is one way to forward so far, and health is the daemon's.
 */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "core/config_service.h"
#include "core/transition.h"

static const struct config_unit duration_units[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000},
};

int config_forward(struct config_reader *reader, const struct node *node, void *into)
{
	static const char *const accepted[] = {"dsr", NULL};
	static const char *const later[] = {"ipip", "gue", "nat", NULL};

	(void)into;
	return config_word(reader, node, "forward", accepted, later, NULL);
}

int config_affinity(struct config_reader *reader, const struct node *node, void *into)
{
	static const char *const accepted[] = {"flow", NULL};
	static const char *const later[] = {"client", NULL};

	(void)into;
	return config_word(reader, node, "affinity", accepted, later, NULL);
}

int config_udp(struct config_reader *reader, const struct node *node, void *into)
{
	static const char *const accepted[] = {"packet", "flow", NULL};
	struct service *service = ((struct service_reading *)into)->service;
	size_t index;
	int r = config_word(reader, node, "udp", accepted, NULL, &index);

	if (r == 0)
		service->udp_flow = index == 1;
	return r;
}

static int read_duration(struct config_reader *reader, const struct node *node, void *into)
{
	uint64_t duration_ms;

	(void)into;
	return config_quantity(reader, node, node->key, duration_units, ARRAY_SIZE(duration_units),
			       "a duration like 500ms, 15s, 10m or 1h", &duration_ms);
}

/* "0", "0s", "00": someone wants no transition at all. */
static bool is_zero(const struct node *node)
{
	size_t zeros = node->kind == NODE_TEXT ? strspn(node->text, "0") : 0;

	return zeros && !strpbrk(node->text, "123456789");
}

static int read_deadline(struct config_reader *reader, const struct node *node, void *into)
{
	struct service *service = ((struct service_reading *)into)->service;
	uint64_t duration_ms = TRANSITION_NEVER;
	char shown[NODE_SHOW];
	int r = 0;

	if (is_zero(node))
		return config_fail(reader, node->mark, -EINVAL,
				   "deadline is %s; none or a duration like 15s, 10m or 1h is "
				   "accepted; to move open connections at once, commit with --cut",
				   node_show(node, shown));
	if (node->kind != NODE_TEXT || strcmp(node->text, "none") != 0)
		r = config_quantity(reader, node, node->key, duration_units,
				    ARRAY_SIZE(duration_units),
				    "none or a duration like 15s, 10m or 1h", &duration_ms);
	if (r < 0)
		return r;
	if (duration_ms != TRANSITION_NEVER && duration_ms > POLICY_DEADLINE_MOST_MS)
		return config_fail(reader, node->mark, -EINVAL,
				   "deadline is %s; up to 30d or none is accepted",
				   node_show(node, shown));
	service->deadline_ms = duration_ms;
	return 0;
}

int config_drain(struct config_reader *reader, const struct node *node, void *into)
{
	static const struct config_key keys[] = {
		{"deadline", false, read_deadline},
		{"quiet", false, read_duration},
		{"watch", false, read_duration},
	};

	return config_map(reader, node, "drain", keys, ARRAY_SIZE(keys), into);
}

static int read_http(struct config_reader *reader, const struct node *node, void *into)
{
	char shown[NODE_SHOW];

	(void)into;
	if (node->kind == NODE_TEXT && *node->text == '/')
		return 0;
	return config_fail(reader, node->mark, -EINVAL,
			   "http is %s; a path like /healthz is accepted", node_show(node, shown));
}

static int read_port(struct config_reader *reader, const struct node *node, void *into)
{
	uint64_t port;

	(void)into;
	return config_number(reader, node, node->key, 1, 65535, &port);
}

static int read_count(struct config_reader *reader, const struct node *node, void *into)
{
	uint64_t count;

	(void)into;
	return config_number(reader, node, node->key, 1, 100, &count);
}

int config_health(struct config_reader *reader, const struct node *node, void *into)
{
	static const struct config_key keys[] = {
		{"http", false, read_http},	    {"port", false, read_port},
		{"interval", false, read_duration}, {"timeout", false, read_duration},
		{"rise", false, read_count},	    {"fall", false, read_count},
	};

	return config_map(reader, node, "health", keys, ARRAY_SIZE(keys), into);
}
