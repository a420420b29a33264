/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What config.c, config_service.c and config_options.c share: the schema as tables of keys, and
 * values as text. Nobody else includes it.
 */
#ifndef STEER_CORE_CONFIG_SERVICE_H
#define STEER_CORE_CONFIG_SERVICE_H

#include <stdbool.h>

#include "core/policy.h"
#include "core/yaml.h"

struct config_reader {
	const struct document *document;
	struct policy *policy; /* what has been read so far, freed by config_read() */
	size_t n_frontends;    /* over all services */
	size_t n_backends;
	struct diag *why;
};

/* One key of a map. @read gets the value and the @into of the map; NULL leaves it to the caller. */
struct config_key {
	const char *name;
	bool is_required;
	int (*read)(struct config_reader *reader, const struct node *value, void *into);
};

#define config_fail(reader, mark, error, ...)                                                      \
	document_fail((reader)->document, mark, error, (reader)->why, __VA_ARGS__)
#ifdef __clang_analyzer__ /* it cannot see that document_fail() returns @error, as diag_fail() */
#undef config_fail
#define config_fail(reader, mark, error, ...)                                                      \
	((void)document_fail((reader)->document, mark, error, (reader)->why, __VA_ARGS__), (error))
#endif

/* @what begins a sentence: "a service", "weight". All errors are -EINVAL. */
int config_map(struct config_reader *reader, const struct node *node, const char *what,
	       const struct config_key *keys, size_t n_keys, void *into);
int config_expect(struct config_reader *reader, const struct node *node, enum node_kind kind,
		  const char *what, const char *accepted);
int config_name(struct config_reader *reader, struct mark mark, const char *what, const char *text,
		char ret_name[static NAME_TEXT]);
int config_number(struct config_reader *reader, const struct node *node, const char *what,
		  uint64_t least, uint64_t most, uint64_t *ret_number);

/* A number with one of @units behind it, scaled by the unit. */
struct config_unit {
	const char *suffix;
	uint64_t factor;
};
int config_quantity(struct config_reader *reader, const struct node *node, const char *what,
		    const struct config_unit *units, size_t n_units, const char *accepted,
		    uint64_t *ret_value);

/* One of @accepted; the words in @later get an error that says so. Both end with NULL. */
int config_word(struct config_reader *reader, const struct node *node, const char *what,
		const char *const *accepted, const char *const *later, size_t *ret_index);

/* Append the service of the map entry @node to the policy. */
int config_service(struct config_reader *reader, const struct node *node);

/* What the keys of a service are read into. */
struct service_reading {
	struct service *service;
	const struct node *active;
};

/* config_frontends.c: an address that one host can have, and the list of a service's frontends. */
int config_host(struct config_reader *reader, struct mark mark, const char *text,
		struct address *ret_address);
int config_frontends(struct config_reader *reader, const struct node *node,
		     struct service *service);

/* config_options.c: keys of a service but its frontends and pools; @into: struct service_reading */
int config_forward(struct config_reader *reader, const struct node *node, void *into);
int config_affinity(struct config_reader *reader, const struct node *node, void *into);
int config_udp(struct config_reader *reader, const struct node *node, void *into);
int config_drain(struct config_reader *reader, const struct node *node, void *into);
int config_health(struct config_reader *reader, const struct node *node, void *into);

#endif
