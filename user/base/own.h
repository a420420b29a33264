/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Owned descriptors and pointers clean themselves up; giving away is visible.
 */
#ifndef STEER_BASE_OWN_H
#define STEER_BASE_OWN_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void own_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void own_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void own_fclose(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

#define auto_close  __attribute__((cleanup(own_close)))
#define auto_free   __attribute__((cleanup(own_free)))
#define auto_fclose __attribute__((cleanup(own_fclose)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) *take_from = &(pointer);                                       \
		__typeof__(pointer) taken = *take_from;                                            \
		*take_from = NULL;                                                                 \
		taken;                                                                             \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
