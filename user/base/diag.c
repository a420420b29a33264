// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "base/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int diag_fail(struct diag *why, int error, const char *format, ...)
{
	int saved = errno;
	va_list args;

	if (!why)
		return error;
	va_start(args, format);
	errno = saved;
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return error;
}

void diag_line(struct diag *diag, const char *format, ...)
{
	size_t used;
	va_list args;

	if (!diag)
		return;
	used = strlen(diag->text);
	if (used && used + 1 < sizeof(diag->text)) {
		diag->text[used++] = '\n';
		diag->text[used] = '\0';
	}
	va_start(args, format);
	(void)vsnprintf(diag->text + used, sizeof(diag->text) - used, format, args);
	va_end(args);
}
