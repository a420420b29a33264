/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration file: its top level and the tools of the schema. Services are read by
 * config_service.c, YAML by yaml.c.
 */
#include "core/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/own.h"
#include "base/suggest.h"
#include "core/config_service.h"

static const struct config_unit memory_units[] = {
	{"K", 1u << 10},
	{"M", 1u << 20},
	{"G", 1u << 30},
};

/* Where to point when something is missing inside @node. */
static struct mark place_of(const struct node *node)
{
	return node->key ? node->key_mark : node->mark;
}

int config_expect(struct config_reader *reader, const struct node *node, enum node_kind kind,
		  const char *what, const char *accepted)
{
	char shown[NODE_SHOW];

	if (node->kind == kind)
		return 0;
	return config_fail(reader, node->mark, -EINVAL, "%s is %s; %s is accepted", what,
			   node_show(node, shown), accepted);
}

static int refuse_key(struct config_reader *reader, const struct node *node, const char *what,
		      const struct config_key *keys, size_t n_keys)
{
	struct suggestion near = {.wanted = node->key};
	char hint[SUGGEST_TEXT];
	char list[256] = "";

	for (size_t i = 0; i < n_keys; i++) {
		size_t used = strlen(list);

		(void)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
			       keys[i].name);
		suggest_offer(&near, keys[i].name);
	}
	return config_fail(reader, node->key_mark, -EINVAL,
			   "unknown key '%.64s' in %s; accepted are: %s%s", node->key, what, list,
			   suggest_text(&near, hint));
}

int config_map(struct config_reader *reader, const struct node *node, const char *what,
	       const struct config_key *keys, size_t n_keys, void *into)
{
	int r = config_expect(reader, node, NODE_MAP, what, "a map of keys");

	for (const struct node *child = node->first; r == 0 && child; child = child->next) {
		size_t i = 0;

		while (i < n_keys && strcmp(keys[i].name, child->key) != 0)
			i++;
		if (i == n_keys)
			return refuse_key(reader, child, what, keys, n_keys);
		if (keys[i].read)
			r = keys[i].read(reader, child, into);
	}
	for (size_t i = 0; r == 0 && i < n_keys; i++) {
		const struct node *child = node->first;

		while (child && strcmp(keys[i].name, child->key) != 0)
			child = child->next;
		if (keys[i].is_required && !child)
			return config_fail(reader, place_of(node), -EINVAL,
					   "%s has no key '%s'; it is required", what,
					   keys[i].name);
	}
	return r;
}

int config_name(struct config_reader *reader, struct mark mark, const char *what, const char *text,
		char ret_name[static NAME_TEXT])
{
	size_t length = strlen(text);
	bool is_name = length > 0 && length < NAME_TEXT && isalnum((unsigned char)*text);

	for (size_t i = 0; is_name && i < length; i++)
		is_name = isalnum((unsigned char)text[i]) || strchr("._-", text[i]);
	if (!is_name)
		return config_fail(
			reader, mark, -EINVAL,
			"'%.80s' is not a name for %s; up to %d letters, digits, '.', '_' "
			"and '-' are accepted, a letter or digit first",
			text, what, NAME_TEXT - 1);
	memcpy(ret_name, text, length + 1);
	return 0;
}

/* Decimal digits at the start of @text. Returns what follows them, NULL without a number. */
static const char *parse_digits(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (number > UINT64_MAX / 10 - 1)
			return NULL;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	*ret_number = number;
	return at == text ? NULL : at;
}

int config_number(struct config_reader *reader, const struct node *node, const char *what,
		  uint64_t least, uint64_t most, uint64_t *ret_number)
{
	const char *rest = NULL;
	char shown[NODE_SHOW];
	uint64_t number;

	if (node->kind == NODE_TEXT)
		rest = parse_digits(node->text, &number);
	if (!rest || *rest || number < least || number > most)
		return config_fail(reader, node->mark, -EINVAL,
				   "%s is %s; a whole number from %llu to %llu is accepted", what,
				   node_show(node, shown), (unsigned long long)least,
				   (unsigned long long)most);
	*ret_number = number;
	return 0;
}

int config_quantity(struct config_reader *reader, const struct node *node, const char *what,
		    const struct config_unit *units, size_t n_units, const char *accepted,
		    uint64_t *ret_value)
{
	const char *rest = NULL;
	char shown[NODE_SHOW];
	uint64_t number = 0;

	if (node->kind == NODE_TEXT)
		rest = parse_digits(node->text, &number);
	for (size_t i = 0; rest && number > 0 && i < n_units; i++) {
		if (strcmp(rest, units[i].suffix) != 0 || number > UINT32_MAX)
			continue;
		*ret_value = number * units[i].factor;
		return 0;
	}
	return config_fail(reader, node->mark, -EINVAL, "%s is %s; %s is accepted", what,
			   node_show(node, shown), accepted);
}

int config_word(struct config_reader *reader, const struct node *node, const char *what,
		const char *const *accepted, const char *const *later, size_t *ret_index)
{
	struct suggestion near = {.wanted = node->text};
	char shown[NODE_SHOW], hint[SUGGEST_TEXT];
	char list[128] = "";

	for (size_t i = 0; accepted[i]; i++) {
		size_t used = strlen(list);

		if (node->kind == NODE_TEXT && strcmp(node->text, accepted[i]) == 0) {
			if (ret_index)
				*ret_index = i;
			return 0;
		}
		(void)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
			       accepted[i]);
		if (node->kind == NODE_TEXT)
			suggest_offer(&near, accepted[i]);
	}
	for (size_t i = 0; later && later[i] && node->kind == NODE_TEXT; i++)
		if (strcmp(node->text, later[i]) == 0)
			return config_fail(reader, node->mark, -EINVAL,
					   "%s '%s' is not yet in this version; accepted: %s", what,
					   later[i], list);
	return config_fail(reader, node->mark, -EINVAL, "%s is %s; accepted: %s%s", what,
			   node_show(node, shown), list, suggest_text(&near, hint));
}

static int read_interface_name(struct config_reader *reader, const struct node *node, void *into)
{
	struct interface *interface = into;
	int r = config_expect(reader, node, NODE_TEXT, "interface", "its name");
	size_t length;
	bool is_valid;

	if (r < 0)
		return r;
	/* the rules of net/core/dev.c, dev_valid_name() */
	length = strlen(node->text);
	is_valid = length > 0 && length < sizeof(interface->name) && strcmp(node->text, ".") != 0 &&
		   strcmp(node->text, "..") != 0 && !strpbrk(node->text, "/: ");
	if (!is_valid)
		return config_fail(reader, node->mark, -EINVAL,
				   "'%.64s' is not an interface name; 1 to 15 characters without "
				   "'/', ':' and spaces are accepted",
				   node->text);
	for (size_t i = 0; i < reader->policy->n_interfaces; i++)
		if (strcmp(reader->policy->interfaces[i].name, node->text) == 0)
			return config_fail(reader, node->mark, -EINVAL,
					   "interface '%s' is listed twice; once is accepted",
					   node->text);
	memcpy(interface->name, node->text, length + 1);
	return 0;
}

static int read_interface_mode(struct config_reader *reader, const struct node *node, void *into)
{
	static const char *const modes[] = {
		[INTERFACE_AUTO] = "auto",
		[INTERFACE_NATIVE] = "native",
		[INTERFACE_GENERIC] = "generic",
		NULL,
	};
	struct interface *interface = into;
	size_t mode;
	int r = config_word(reader, node, "mode", modes, NULL, &mode);

	if (r == 0)
		interface->mode = (uint8_t)mode;
	return r;
}

static int read_interfaces(struct config_reader *reader, const struct node *node, void *into)
{
	static const struct config_key keys[] = {
		{"name", true, read_interface_name},
		{"mode", false, read_interface_mode},
	};
	struct policy *policy = into;
	int r = config_expect(reader, node, NODE_LIST, "interfaces", "a list like [eth0]");

	if (r < 0)
		return r;
	if (!node->first)
		return config_fail(reader, node->mark, -EINVAL,
				   "interfaces is an empty list; at least one is required");
	policy->interfaces = calloc(node->n_children, sizeof(*policy->interfaces));
	if (!policy->interfaces)
		return diag_fail(reader->why, -ENOMEM, "out of memory");
	for (const struct node *child = node->first; r == 0 && child; child = child->next) {
		struct interface *interface = &policy->interfaces[policy->n_interfaces];

		if (child->kind == NODE_MAP)
			r = config_map(reader, child, "interface", keys, ARRAY_SIZE(keys),
				       interface);
		else
			r = read_interface_name(reader, child, interface);
		if (r == 0)
			policy->n_interfaces++;
	}
	return r;
}

static int read_flows(struct config_reader *reader, const struct node *node, void *into)
{
	struct policy *policy = into;
	uint64_t flows;
	int r = config_number(reader, node, "flows", POLICY_FLOWS_LEAST, POLICY_FLOWS_MOST, &flows);

	if (r == 0)
		policy->flows = (uint32_t)flows;
	return r;
}

static int read_memory(struct config_reader *reader, const struct node *node, void *into)
{
	uint64_t bytes;

	(void)into;
	return config_quantity(reader, node, "memory", memory_units, ARRAY_SIZE(memory_units),
			       "a size like 512K, 256M or 1G", &bytes);
}

static int read_limits(struct config_reader *reader, const struct node *node, void *into)
{
	static const struct config_key keys[] = {
		{"flows", false, read_flows},
		{"memory", false, read_memory},
	};

	return config_map(reader, node, "limits", keys, ARRAY_SIZE(keys), into);
}

static int read_services(struct config_reader *reader, const struct node *node, void *into)
{
	struct policy *policy = into;
	int r = config_expect(reader, node, NODE_MAP, "services", "a map from name to service");

	if (r < 0)
		return r;
	if (!node->first)
		return config_fail(reader, node->mark, -EINVAL,
				   "services is an empty map; at least one is required");
	if (node->n_children > STEER_SERVICES)
		return config_fail(reader, node->key_mark, -E2BIG,
				   "%zu services; up to %d are accepted", node->n_children,
				   STEER_SERVICES);
	policy->services = calloc(node->n_children, sizeof(*policy->services));
	if (!policy->services)
		return diag_fail(reader->why, -ENOMEM, "out of memory");
	for (const struct node *child = node->first; r == 0 && child; child = child->next)
		r = config_service(reader, child);
	return r;
}

int config_read(const char *path, struct policy *ret_policy, struct diag *why)
{
	static const struct config_key keys[] = {
		{"interfaces", true, read_interfaces},
		{"limits", false, read_limits},
		{"services", true, read_services},
	};
	struct document document;
	struct policy policy = {.flows = POLICY_FLOWS};
	struct config_reader reader = {.document = &document, .policy = &policy, .why = why};
	int r = document_read(path, CONFIG_BYTES_MAX, &document, why);

	if (r < 0)
		return r;
	r = config_map(&reader, document.root, "the configuration", keys, ARRAY_SIZE(keys),
		       &policy);
	document_free(&document);
	if (r < 0)
		policy_free(&policy);
	else
		*ret_policy = policy;
	return r;
}
