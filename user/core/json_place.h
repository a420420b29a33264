/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fields of a JSON object, each read with its type and limits. A field that does not fit is
 * refused with -EINVAL and the way to it: "not a policy: 'services[0].pools[1].name' is empty".
 */
#ifndef STEER_CORE_JSON_PLACE_H
#define STEER_CORE_JSON_PLACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/policy.h"

/* An object being read and the way to it. */
struct json_place {
	const json_t *json;
	char path[192]; /* "services[0].pools[1]", "" at the top */
	struct diag *why;
};

/* Refuse @field of @place ("" = the object itself): @wanted says what is wrong. */
int place_refuse(const struct json_place *place, const char *field, const char *wanted);

/*
 * Step to @json, found as @field of @from, and @index of it if not negative. It is an object
 * of at most @n_fields fields.
 */
int place_enter(const struct json_place *from, const char *field, int index, const json_t *json,
		size_t n_fields, struct json_place *ret_place);

int place_number(const struct json_place *place, const char *field, uint64_t least, uint64_t most,
		 uint64_t *ret_number);
int place_u32(const struct json_place *place, const char *field, uint32_t least, uint32_t most,
	      uint32_t *ret_number);
int place_text(const struct json_place *place, const char *field, const char **ret_text);
int place_name(const struct json_place *place, const char *field, bool may_be_empty,
	       char ret_name[static NAME_TEXT]);
/* 16 hexadecimal digits */
int place_seed(const struct json_place *place, const char *field, uint64_t *ret_seed);
/* One of @names; @ret_choice is its index. */
int place_choice(const struct json_place *place, const char *field, const char *const *names,
		 size_t n_names, size_t *ret_choice);
int place_address(const struct json_place *place, const char *field, struct address *ret_address);
/*
 * Find an array of at most @most elements and make room for them, @stride bytes each; *@ret_n is
 * set with the memory, so that it is freed with what holds it.
 */
int place_array(const struct json_place *place, const char *field, size_t most, size_t stride,
		void **ret_elements, size_t *ret_n, const json_t **ret_array);

#define PLACE_ARRAY(place, field, most, elements, n, ret_array)                                    \
	({                                                                                         \
		void *read_memory = NULL;                                                          \
		int read_error = place_array(place, field, most, sizeof(*(elements)),              \
					     &read_memory, &(n), ret_array);                       \
		(elements) = read_memory;                                                          \
		read_error;                                                                        \
	})

#endif
