// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "base/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

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
