/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-1-3 of a byte string; block by block it is in steer/flow.h. Source: Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF", 2012, section 2; 1-3 is the variant that hash
 * tables of Linux and Rust use.
 */
#ifndef STEER_BASE_SIPHASH_H
#define STEER_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "steer/flow.h"

/* Hash @size bytes at @bytes. */
uint64_t siphash13(const uint64_t key[static 2], const void *bytes, size_t size);

#endif
