/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-1-3 of a byte string: the hash of the packet path for whatever else needs one.
 */
#ifndef STEER_BASE_SIPHASH_H
#define STEER_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Hash @size bytes at @bytes. Source: Aumasson and Bernstein, "SipHash", 2012, section 2. */
uint64_t siphash13(const uint64_t key[static 2], const void *bytes, size_t size);

#endif
