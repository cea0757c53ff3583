/* SPDX-License-Identifier: MIT */
/* How a guest that has booted stops its own machine, and goes on from the same instant every time. */
#ifndef OOMLAB_GUEST_PARK_H
#define OOMLAB_GUEST_PARK_H

#include "lib/err.h"

#include <stdint.h>

/*
 * Marks the black box mapped there and stops the machine. When this returns the
 * trial's spec is in the box, maybe days later and in another QEMU.
 */
int park_machine(void *box_map, struct err *e);

/*
 * Turns in place a number of times that depends on the seed (below 2^20, none
 * for 0): with a count of instructions as time, a turn is a position in a tick.
 */
void park_turn(uint64_t seed);

#endif
