/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keys of a service that are checked but change nothing in the policy: there is one way to
 * forward so far, and drain and health are the daemon's.
 */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "core/config_service.h"

static const struct config_unit duration_units[] = {
	{"ms", 1},
	{"s", 1000},
	{"m", 60 * 1000},
	{"h", 60 * 60 * 1000},
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
	static const char *const accepted[] = {"packet", NULL};
	static const char *const later[] = {"flow", NULL};

	(void)into;
	return config_word(reader, node, "udp", accepted, later, NULL);
}

static int read_duration(struct config_reader *reader, const struct node *node, void *into)
{
	uint64_t duration_ms;

	(void)into;
	return config_quantity(reader, node, node->key, duration_units, ARRAY_SIZE(duration_units),
			       "a duration like 500ms, 15s, 10m or 1h", &duration_ms);
}

static int read_deadline(struct config_reader *reader, const struct node *node, void *into)
{
	uint64_t duration_ms;

	(void)into;
	if (node->kind == NODE_TEXT && strcmp(node->text, "none") == 0)
		return 0;
	return config_quantity(reader, node, node->key, duration_units, ARRAY_SIZE(duration_units),
			       "none or a duration like 15s, 10m or 1h", &duration_ms);
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
