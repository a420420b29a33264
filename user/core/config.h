/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration file: what exists. YAML through libyaml's events, with a schema of our own.
 *
 * Every error names file:line:col, quotes the source line with a caret under the place, and says
 * what would have been accepted. Duplicate keys, aliases, tags and several documents are refused.
 */
#ifndef STEER_CORE_CONFIG_H
#define STEER_CORE_CONFIG_H

#include "core/policy.h"

/* Largest file that is read; a real one with 4,096 backends has about 300 KiB. */
#define CONFIG_BYTES_MAX (4u << 20)

/*
 * config_read - read and check @path.
 *
 * The result is a policy with revision 0: every backend ready, id 0, weight = weight_configured;
 * the pool named by "active" is active and owns everything; seed 0, no base, no before.
 * Errors: -ENOENT, -EACCES the file; -EINVAL its contents; -E2BIG over a limit of the ABI.
 */
int config_read(const char *path, struct policy *ret_policy, struct diag *why);

#endif
