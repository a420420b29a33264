// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "base/share.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "steer/abi.h"

#define DIGITS_MAX 9 /* of a numerator or denominator, so that products fit 64 bits */

/* Read digits, with a fraction if @ret_scale is given (power of ten of the digits after '.'). */
static const char *read_number(const char *text, uint64_t *ret_value, uint64_t *ret_scale)
{
	uint64_t value = 0, scale = 1;
	bool is_fraction = false;
	int digits = 0;

	for (; isdigit((unsigned char)*text) || (*text == '.' && ret_scale && !is_fraction);
	     text++) {
		if (*text == '.') {
			is_fraction = true;
			continue;
		}
		if (++digits > DIGITS_MAX)
			return NULL;
		value = value * 10 + (uint64_t)(*text - '0');
		if (is_fraction)
			scale *= 10;
	}
	if (digits == 0)
		return NULL;
	*ret_value = value;
	if (ret_scale)
		*ret_scale = scale;
	return text;
}

static int share_round(const char *text, uint64_t part, uint64_t whole, uint32_t *ret_slots,
		       struct diag *why)
{
	uint64_t slots;

	if (part > whole)
		return diag_fail(why, -ERANGE, "share '%s' is more than 100%%", text);
	slots = (2 * part * STEER_SLOTS + whole) / (2 * whole);
	if (part > 0 && slots == 0)
		return diag_fail(why, -ERANGE,
				 "share '%s' is less than one slot: the smallest is 1/%u", text,
				 STEER_SLOTS);
	*ret_slots = (uint32_t)slots;
	return 0;
}

/* What a bare number probably meant: 5 -> 5%, 0.05 -> 5%. */
static int refuse_bare(const char *text, uint64_t value, uint64_t scale, struct diag *why)
{
	double percent = (double)value / (double)scale;

	if (scale > 1 && percent <= 1)
		percent *= 100;
	return diag_fail(why, -EINVAL,
			 "share '%s' has no unit: write %.6g%% (accepted: 5%%, 0.25%%, 1/400)",
			 text, percent);
}

int share_parse(const char *text, uint32_t *ret_slots, struct diag *why)
{
	uint64_t part, scale, whole;
	const char *end;

	if (text[0] == '-' && (isdigit((unsigned char)text[1]) || text[1] == '.'))
		return diag_fail(why, -ERANGE, "share '%s' is outside 0%% to 100%%", text);
	end = read_number(text, &part, &scale);
	if (end && strcmp(end, "%") == 0)
		return share_round(text, part, 100 * scale, ret_slots, why);
	if (end && *end == '/' && scale == 1) {
		end = read_number(end + 1, &whole, NULL);
		if (end && *end == '\0' && whole > 0)
			return share_round(text, part, whole, ret_slots, why);
	} else if (end && *end == '\0') {
		return refuse_bare(text, part, scale, why);
	}
	return diag_fail(why, -EINVAL, "'%s' is not a share (accepted: 5%%, 0.25%%, 1/400)", text);
}

const char *share_format(uint32_t slots, char buffer[static SHARE_TEXT])
{
	double percent = slots * 100.0 / STEER_SLOTS;
	uint32_t again;

	/* Three decimals always tell two slots apart: a slot is 0.0015%. */
	for (int decimals = 0; decimals <= 4; decimals++) {
		(void)snprintf(buffer, SHARE_TEXT, "%.*f%%", decimals, percent);
		if (share_parse(buffer, &again, NULL) == 0 && again == slots)
			break;
	}
	return buffer;
}
