// The C++ twins of hopper.cuh. What is still under way is not there: memory of a bulk copy holds NaN until somebody waits for its barrier, a result of
// a group of warps until its group is waited for.
#pragma once

namespace emulation {

// ---- barriers that count bytes, and copies that arrive at them

struct BulkCopy {
    void* to;
    const void* from;
    unsigned bytes;
    void* barrier;
};

struct ByteBarrier {
    unsigned short arrivals, awaited;
    int bytes : 31;
    unsigned phase : 1;
};
static_assert(sizeof(ByteBarrier) == 8, "as large as the card's");

constexpr int MostBulkCopies = 256;
constexpr unsigned MostIdleTurns = 2000000;
EMULATOR_DATA BulkCopy bulk_copies[MostBulkCopies];
EMULATOR_DATA int bulk_copy_count;
EMULATOR_DATA unsigned idle_turns;

EMULATOR_CALL ByteBarrier& barrier_at(void* barrier, const char* name) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(barrier), offset = address - reinterpret_cast<uintptr_t>(dynamic_shared_memory);
    if ((address & 7) || offset + 8 > state.launch.shared_bytes) {
        snprintf(state.report->text, sizeof state.report->text, "%s of a barrier that is not 8 aligned bytes of dynamic shared memory", name);
        fault(Other, 0, state.report->text);
    }
    return *static_cast<ByteBarrier*>(barrier);
}

EMULATOR inline void end_phase_if_complete(ByteBarrier& b) {
    if (b.awaited > 0 || b.bytes != 0)
        return;
    b.awaited = b.arrivals;
    b.phase ^= 1;
}

EMULATOR_CALL void barrier_init(void* barrier, int arrivals) {
    ByteBarrier& b = barrier_at(barrier, "barrier_init");
    b.arrivals = b.awaited = static_cast<unsigned short>(arrivals);
    b.bytes = 0;
    b.phase = 0;
    idle_turns = 0;
}

EMULATOR_CALL void barrier_arrive(void* barrier, int bytes) {
    ByteBarrier& b = barrier_at(barrier, "barrier_arrive");
    if (b.awaited == 0)
        fault(Other, 0, "barrier_arrive: more threads arrive at a barrier than barrier_init said");
    b.awaited--;
    b.bytes += bytes;
    idle_turns = 0;
    end_phase_if_complete(b);
}

EMULATOR_CALL void copy_bulk(void* to, const void* from, int bytes, void* barrier) {
    const uintptr_t code = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
    ByteBarrier& b = barrier_at(barrier, "copy_bulk");
    if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from) | bytes) & 15)
        fault(Other, code, "copy_bulk: an address or the number of bytes is no multiple of 16");
    const uintptr_t offset = reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(dynamic_shared_memory);
    if (offset + bytes > state.launch.shared_bytes)
        fault(Other, code, "copy_bulk to memory that is not the block's dynamic shared memory");
    for (int i = 0; i < bytes; i += 16)
        check(reinterpret_cast<uintptr_t>(from) + i, 16, false, code);
    if (bulk_copy_count == MostBulkCopies)
        fault(Other, code, "copy_bulk: the emulator keeps no more copies that nobody waits for");
    bulk_copies[bulk_copy_count++] = {to, from, static_cast<unsigned>(bytes), barrier};
    memset(to, Uninitialised, bytes);           // whoever reads it too early sees NaN
    b.bytes -= bytes;
    idle_turns = 0;
    end_phase_if_complete(b);
}

EMULATOR_CALL void barrier_wait(void* barrier, unsigned phase) {
    ByteBarrier& b = barrier_at(barrier, "barrier_wait");
    while (b.phase == (phase & 1)) {
        if (++idle_turns > MostIdleTurns)
            fault(Other, 0, "waits at a barrier whose phase never ends");
        if (state.ready_count == 0)
            fault(Other, 0, "deadlock: waits at a barrier whose phase never ends, and all other threads wait, too");
        memmove(state.ready + 1, state.ready, state.ready_count * sizeof *state.ready);
        state.ready[0] = current->number;       // all others first
        state.ready_count++;
        run_next();
    }
    int left = 0;
    for (int i = 0; i < bulk_copy_count; i++) {
        const BulkCopy& c = bulk_copies[i];
        if (c.barrier == barrier)
            memcpy(c.to, c.from, c.bytes);
        else
            bulk_copies[left++] = c;
    }
    bulk_copy_count = left;
}

// ---- matrices of a group of four warps

constexpr int MostResults = 4, MostColumns = 136;

struct Result {
    void* to;
    int count, group;                           // -1: not committed
    unsigned bits[MostColumns / 2];
};

struct Results {
    Result of[MostResults];
    int count, groups;
};

EMULATOR_DATA Results results[MostThreads];
EMULATOR_DATA unsigned char factor_bytes[MostColumns * 32];
EMULATOR_DATA unsigned factor_a[16 * 32], factor_b[MostColumns * 32];

EMULATOR_CALL void forget_what_is_under_way() {
    bulk_copy_count = 0;
    for (unsigned t = 0; t < state.count; t++)
        results[t].count = 0;
}

EMULATOR inline uint64_t shared_offset(const void* shared) { return static_cast<const char*>(shared) - dynamic_shared_memory; }

// A byte of a row, as the hardware finds it: the swizzle exchanges bits of the address.
EMULATOR inline unsigned byte_of(uint64_t rows, int row, int column) {
    const unsigned start = (rows & 0x3FFF) << 4, step = (rows >> 32 & 0x3FFF) << 4, mode = static_cast<unsigned>(rows >> 62);
    const unsigned row_bytes = mode == 1 ? 128 : 64, plain = start + row / 8 * step + row % 8 * row_bytes + column;
    return plain ^ (plain >> 7 & (mode == 1 ? 7 : 3)) << 4;
}

EMULATOR_CALL void read_rows(unsigned char* bytes, uint64_t rows, int first, int count) {
    const unsigned mode = static_cast<unsigned>(rows >> 62);
    if (mode != 1 && mode != 2)
        fault(Other, 0, "group_mma: the factor's description is not one of matrix_rows");
    for (int r = 0; r < count; r++) {
        for (int half = 0; half < 2; half++) {
            const uintptr_t address = reinterpret_cast<uintptr_t>(dynamic_shared_memory) + byte_of(rows, first + r, half * 16);
            check(address, 16, false, 0);
            memcpy(bytes + r * 32 + half * 16, reinterpret_cast<void*>(address), 16);
        }
    }
}

template <class Element> struct GroupMultiply : Exchange {
    const unsigned* a;
    uint64_t a_rows, b_rows;
    int count;
    bool add;
};

template <class Element> EMULATOR_CALL void complete_group_multiply(Exchange** lanes, unsigned) {
    using Sum = typename Element::Sum;
    const auto& first = *static_cast<GroupMultiply<Element>*>(lanes[0]);
    static_assert(sizeof(Sum) == 4, "as large as what is kept of a factor");
    auto a = reinterpret_cast<Sum(*)[32]>(factor_a), b = reinterpret_cast<Sum(*)[32]>(factor_b);
    const int columns = first.count * 2;
    read_rows(factor_bytes, first.b_rows, 0, columns);
    for (int r = 0; r < columns; r++) {
        for (int c = 0; c < 32; c++)
            b[r][c] = Element::value(factor_bytes[r * 32 + c], 0);
    }
    if (first.a) {
        for (unsigned l = 0; l < WarpSize; l++) {
            const auto& from = *static_cast<GroupMultiply<Element>*>(lanes[l]);
            for (int r = 0; r < 4; r++) {
                for (int e = 0; e < 4; e++)
                    a[l / 4 + 8 * (r % 2)][16 * (r / 2) + 4 * (l % 4) + e] = Element::value(from.a[r], e);
            }
        }
    } else {
        read_rows(factor_bytes, first.a_rows, static_cast<int>(current->warp % 4) * 16, 16);
        for (int r = 0; r < 16; r++) {
            for (int c = 0; c < 32; c++)
                a[r][c] = Element::value(factor_bytes[r * 32 + c], 0);
        }
    }
    const unsigned warp = current->warp;
    for (unsigned l = 0; l < WarpSize; l++) {
        Results& pending = results[warp * WarpSize + l];
        Result& result = pending.of[pending.count - 1];
        for (int n = 0; n < first.count; n++) {
            const Sum* row = a[l / 4 + 8 * (n / 2 % 2)];
            const Sum* column = b[n / 4 * 8 + l % 4 * 2 + n % 2];
            Sum sum = 0;
            for (int k = 0; k < 32; k++)
                sum += row[k] * column[k];
            Sum before = 0;
            if (first.add)
                memcpy(&before, &result.bits[n], sizeof before);
            before += sum;
            memcpy(&result.bits[n], &before, sizeof before);
        }
    }
}

/// `a` in registers, or null, and then its rows in shared memory.
template <class Element> EMULATOR_CALL void group_multiply(typename Element::Sum* d, int count, const unsigned* a, uint64_t a_rows, uint64_t b_rows, bool add) {
    const uintptr_t code = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
    whole_warp("group_mma", code);
    Results& pending = results[current->number];
    if (pending.count == 0 || pending.of[pending.count - 1].to != d || pending.of[pending.count - 1].group >= 0) {
        for (int i = 0; i < pending.count; i++) {
            if (pending.of[i].to == d)
                fault(Other, code, "group_mma into registers whose last result has not been waited for");
        }
        if (pending.count == MostResults)
            fault(Other, code, "group_mma: the emulator keeps no more results that are not waited for");
        Result& one = pending.of[pending.count++];
        one.to = d;
        one.count = count;
        one.group = -1;
        memcpy(one.bits, d, count * 4);
    }
    memset(d, Uninitialised, count * 4);        // whoever reads it too early sees NaN
    GroupMultiply<Element> e;
    static_cast<Exchange&>(e) = Exchange{"group_mma", 0, ~0u, complete_group_multiply<Element>};
    e.a = a;
    e.a_rows = a_rows;
    e.b_rows = b_rows;
    e.count = count;
    e.add = add;
    exchange(e);
}

EMULATOR_CALL void group_mma_commit() {
    Results& pending = results[current->number];
    for (int i = 0; i < pending.count; i++) {
        if (pending.of[i].group < 0)
            pending.of[i].group = pending.groups;
    }
    pending.groups++;
}

EMULATOR_CALL void group_mma_wait(int allowed) {
    Results& pending = results[current->number];
    int left = 0;
    for (int i = 0; i < pending.count; i++) {
        Result& one = pending.of[i];
        if (one.group >= 0 && one.group < pending.groups - allowed)
            memcpy(one.to, one.bits, one.count * 4);
        else if (left++ != i)
            pending.of[left - 1] = one;
    }
    pending.count = left;
}

}
