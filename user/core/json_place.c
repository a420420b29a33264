// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "core/json_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"

int place_refuse(const struct json_place *place, const char *field, const char *wanted)
{
	(void)diag_fail(place->why, -EINVAL, "not a policy: '%s%s%s' %s", place->path,
			*place->path && *field ? "." : "", field, wanted);
	return -EINVAL;
}

int place_enter(const struct json_place *from, const char *field, int index, const json_t *json,
		size_t n_fields, struct json_place *ret_place)
{
	const char *dot = *from->path ? "." : "";

	ret_place->json = json;
	ret_place->why = from->why;
	if (index < 0)
		(void)snprintf(ret_place->path, sizeof(ret_place->path), "%.120s%s%s", from->path,
			       dot, field);
	else
		(void)snprintf(ret_place->path, sizeof(ret_place->path), "%.120s%s%s[%d]",
			       from->path, dot, field, index);
	if (!json_is_object(json))
		return place_refuse(ret_place, "", "is missing or not an object");
	if (json_object_size(json) > n_fields)
		return place_refuse(ret_place, "", "has a field that this version does not know");
	return 0;
}

int place_number(const struct json_place *place, const char *field, uint64_t least, uint64_t most,
		 uint64_t *ret_number)
{
	const json_t *json = json_object_get(place->json, field);
	json_int_t value = json_integer_value(json);

	if (!json_is_integer(json))
		return place_refuse(place, field, "is missing or not a whole number");
	if (value < 0 || (uint64_t)value < least || (uint64_t)value > most)
		return place_refuse(place, field, "is outside its limits");
	*ret_number = (uint64_t)value;
	return 0;
}

int place_u32(const struct json_place *place, const char *field, uint32_t least, uint32_t most,
	      uint32_t *ret_number)
{
	uint64_t number;
	int error = place_number(place, field, least, most, &number);

	if (!error)
		*ret_number = (uint32_t)number;
	return error;
}

int place_text(const struct json_place *place, const char *field, const char **ret_text)
{
	const json_t *json = json_object_get(place->json, field);

	if (!json_is_string(json))
		return place_refuse(place, field, "is missing or not a text");
	*ret_text = json_string_value(json);
	return 0;
}

int place_name(const struct json_place *place, const char *field, bool may_be_empty,
	       char ret_name[static NAME_TEXT])
{
	static const char first[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char rest[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
	const char *text;
	int error = place_text(place, field, &text);

	if (error)
		return error;
	if (!*text && !may_be_empty)
		return place_refuse(place, field, "is empty");
	if (strlen(text) >= NAME_TEXT || text[strspn(text, rest)] ||
	    (*text && !strchr(first, *text)))
		return place_refuse(place, field, "is not a name");
	memcpy(ret_name, text, strlen(text) + 1);
	return 0;
}

int place_seed(const struct json_place *place, const char *field, uint64_t *ret_seed)
{
	const char *text;
	int error = place_text(place, field, &text);

	if (error)
		return error;
	if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return place_refuse(place, field, "is not 16 hexadecimal digits");
	*ret_seed = strtoull(text, NULL, 16);
	return 0;
}

int place_choice(const struct json_place *place, const char *field, const char *const *names,
		 size_t n_names, size_t *ret_choice)
{
	const char *text;
	int error = place_text(place, field, &text);

	if (error)
		return error;
	for (size_t i = 0; i < n_names; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_choice = i;
			return 0;
		}
	}
	return place_refuse(place, field, "is none of the words known");
}

int place_address(const struct json_place *place, const char *field, struct address *ret_address)
{
	const char *text;
	int error = place_text(place, field, &text);

	if (!error && address_parse(text, ret_address, NULL))
		return place_refuse(place, field, "is not an IP address");
	return error;
}

int place_array(const struct json_place *place, const char *field, size_t most, size_t stride,
		void **ret_elements, size_t *ret_n, const json_t **ret_array)
{
	const json_t *array = json_object_get(place->json, field);
	void *elements;

	if (!json_is_array(array))
		return place_refuse(place, field, "is missing or not a list");
	if (json_array_size(array) > most)
		return place_refuse(place, field, "is longer than its limit");
	*ret_array = array;
	*ret_elements = NULL;
	*ret_n = 0;
	if (json_array_size(array) == 0)
		return 0;
	elements = calloc(json_array_size(array), stride);
	if (!elements)
		return diag_fail(place->why, -ENOMEM, "memory is short");
	*ret_elements = elements;
	*ret_n = json_array_size(array);
	return 0;
}
