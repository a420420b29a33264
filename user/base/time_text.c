// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "base/time_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"

int64_t time_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *time_format(int64_t seconds, char buffer[static TIME_TEXT])
{
	time_t when = (time_t)seconds;
	struct tm utc;

	buffer[0] = '\0';
	if (gmtime_r(&when, &utc) && !strftime(buffer, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &utc))
		buffer[0] = '\0';
	return buffer;
}

int duration_parse(const char *text, int64_t most_ms, int64_t *ret_ms, struct diag *why)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	char *end;
	int64_t value;

	errno = 0;
	value = strtoll(text, &end, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units) && isdigit((unsigned char)text[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (errno || value > most_ms / units[i].ms)
			return diag_fail(why, -EINVAL, "'%s' is longer than %lldh", text,
					 (long long)most_ms / 3600000);
		*ret_ms = value * units[i].ms;
		return 0;
	}
	return diag_fail(why, -EINVAL, "'%s' is not a duration (accepted: 500ms, 5s, 2m, 1h, 7d)",
			 text);
}

const char *duration_format(uint64_t ms, char buffer[static DURATION_TEXT])
{
	static const struct {
		uint64_t ms;
		char unit;
	} units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};

	for (size_t i = 0; i + 1 < ARRAY_SIZE(units); i++) {
		unsigned long long rest = ms % units[i].ms / units[i + 1].ms;

		if (ms < units[i].ms)
			continue;
		(void)snprintf(buffer, DURATION_TEXT, rest ? "%llu%c%llu%c" : "%llu%c",
			       (unsigned long long)(ms / units[i].ms), units[i].unit, rest,
			       units[i + 1].unit);
		return buffer;
	}
	if (ms >= 10000 || ms % 1000 < 100)
		(void)snprintf(buffer, DURATION_TEXT, "%llus", (unsigned long long)(ms / 1000));
	else
		(void)snprintf(buffer, DURATION_TEXT, "%llu.%llus", (unsigned long long)(ms / 1000),
			       (unsigned long long)(ms % 1000 / 100));
	return buffer;
}
