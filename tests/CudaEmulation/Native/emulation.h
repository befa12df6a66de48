// Runs kernels of a .cu file on the CPU: every thread of a block is a fiber, blocks run one after another, and every access to memory is
// checked first. Compiled into one shared library with the .cu; emulation.cs of this project drives it. GCC inserts the calls to the
// __asan functions below before each load and store of kernel code (-fsanitize=kernel-address); nothing of AddressSanitizer itself is used.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <type_traits>
#include <utility>

// Code of the emulator itself, whose accesses are not a kernel's.
#define EMULATOR __attribute__((no_sanitize("kernel-address", "undefined")))
#define EMULATOR_CALL __attribute__((no_sanitize("kernel-address", "undefined"), noinline))
// Data of the emulator itself, which is no kernel's shared memory.
#define EMULATOR_DATA __attribute__((section(".bss.emulator"), visibility("hidden")))

extern "C" {
extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern char __bss_start[] __attribute__((visibility("hidden")));
extern char _end[] __attribute__((visibility("hidden")));
}

namespace emulation {

constexpr unsigned WarpSize = 32, MostThreads = 1024, MostSharedBytes = 256 << 10;
constexpr size_t StackBytes = 128 << 10, PageBytes = 4096;
constexpr unsigned char Uninitialised = 0xFF;   // four of them are a float NaN

struct Size {
    unsigned x, y, z;
};

enum Schedule : unsigned { Ascending, Descending, Shuffled };

// What C# asks for and what it gets; the layouts are repeated there.
struct Launch {
    void (*run)(void**);
    void** arguments;
    Size grid, block;
    unsigned shared_bytes, schedule;
    uint64_t seed, budget;
    uintptr_t arena, arena_bytes;
    const unsigned char* arena_shadow;   // a byte for each 8: how many of them, from the first on, may be touched
};

enum FaultKind : int { None, Access, Other };

struct Report {
    int kind, is_write;
    Size block, thread;
    uintptr_t address, code;
    uint64_t bytes;
    char text[1024];
};

// A lane that waits in an operation of its warp for the other lanes that the mask names.
struct Exchange {
    const char* name;
    int line;
    unsigned mask;
    void (*complete)(Exchange** lanes, unsigned participants);   // the last lane to arrive does it for all
};

struct Copy {
    void* to;
    const void* from;
    unsigned bytes, valid;
    int group;
};

struct Thread {
    void* stack_pointer;
    char* stack;
    Size index;
    unsigned lane, warp, number;
    bool done;
    int barrier_line;          // 0: waits at none
    Exchange* exchange;        // null: waits in none
    Copy* copies;              // cp.async that has not been waited for
    int copy_count, copy_room, copy_group;
};

struct Warp {
    unsigned present, alive;   // lanes that exist, that have not ended
    unsigned epoch;            // __syncwarp so far
};

struct Global {
    const char* name;
    uintptr_t begin, bytes;
};

// Who touched a word of shared memory last, for races.
struct Word {
    unsigned write_epoch, read_epoch;           // of the block
    unsigned write_warp_epoch, read_warp_epoch;
    short writer, reader, other_reader;         // other_reader: -1 where only one thread has read
    bool many_warps_read;
};

struct State {
    Launch launch;
    Report* report;
    Size block;
    Thread threads[MostThreads];
    Warp warps[MostThreads / WarpSize];
    unsigned count, alive, arrived, waiting, epoch;
    int votes_or, votes_and, votes_count, barrier_or, barrier_and, barrier_count;
    unsigned ready[MostThreads], ready_count;
    void* main_stack_pointer;
    char* stacks;
    uint64_t random, budget;
    uintptr_t module, module_bytes;
    unsigned char* module_shadow;
    Global* globals;
    size_t global_count;
    Word* words;               // for each 4 bytes of zero-initialised module data, where shared memory is
};

EMULATOR_DATA State state;
EMULATOR_DATA Thread* current;
__attribute__((section(".bss.emulator_shared"), visibility("hidden"), aligned(1024))) char dynamic_shared_memory[MostSharedBytes + 64];

// ---- fibers

#if defined(__x86_64__)
extern "C" __attribute__((visibility("hidden"))) void emulation_switch(void** save, void* to);
asm(R"(
.text
.hidden emulation_switch
.globl emulation_switch
.type emulation_switch,@function
emulation_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
constexpr unsigned SavedRegisters = 6;

EMULATOR inline void* first_stack_pointer(char* stack, void (*entry)()) {
    void** sp = reinterpret_cast<void**>(stack + StackBytes) - 2;   // after `ret` the stack is as after a call
    *sp = reinterpret_cast<void*>(entry);
    sp -= SavedRegisters;
    memset(sp, 0, SavedRegisters * sizeof(void*));
    return sp;
}
#elif defined(__aarch64__)
extern "C" __attribute__((visibility("hidden"))) void emulation_switch(void** save, void* to);
asm(R"(
.text
.hidden emulation_switch
.globl emulation_switch
.type emulation_switch,%function
emulation_switch:
    sub sp, sp, #176
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #176
    ret
)");

EMULATOR inline void* first_stack_pointer(char* stack, void (*entry)()) {
    char* sp = stack + StackBytes - 176;
    memset(sp, 0, 176);
    memcpy(sp + 88, &entry, sizeof entry);   // x30
    return sp;
}
#else
#error "The emulator switches stacks on x64 and Arm64."
#endif

EMULATOR inline void leave_to_main() {
    void* nowhere;
    emulation_switch(current ? &current->stack_pointer : &nowhere, state.main_stack_pointer);
}

// Ends the launch: the fibers are never entered again.
EMULATOR_CALL void fault(FaultKind kind, uintptr_t code, const char* text) {
    Report& r = *state.report;
    r.kind = kind;
    r.block = state.block;
    r.thread = current->index;
    r.code = code ? code - reinterpret_cast<uintptr_t>(__ehdr_start) : 0;
    if (text != r.text)
        snprintf(r.text, sizeof r.text, "%s", text);
    leave_to_main();
    abort();
}

EMULATOR inline unsigned random_below(unsigned count) {
    state.random = state.random * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<unsigned>((state.random >> 33) % count);
}

EMULATOR inline void make_ready(unsigned thread) { state.ready[state.ready_count++] = thread; }

// The thread that the schedule runs first comes last: the end of the list is taken next.
EMULATOR inline void make_ready(unsigned first, unsigned count, unsigned mask_of_warp, bool everybody) {
    for (unsigned i = 0; i < count; i++) {
        unsigned t = first + (state.launch.schedule == Descending ? i : count - 1 - i);
        if (!state.threads[t].done && (everybody || (mask_of_warp >> state.threads[t].lane & 1)))
            make_ready(t);
    }
}

EMULATOR_CALL void describe_deadlock() {
    char* text = state.report->text;
    size_t room = sizeof state.report->text, used = snprintf(text, room, "deadlock:");
    const char* separator = " ";
    bool told[MostThreads] = {};
    for (unsigned t = 0; t < state.count && used < room; t++) {
        const Thread& one = state.threads[t];
        if (one.done || told[t])
            continue;
        unsigned same = 0;
        for (unsigned u = t; u < state.count; u++) {
            const Thread& other = state.threads[u];
            bool alike = !other.done && other.barrier_line == one.barrier_line && !other.exchange == !one.exchange
                && (!one.exchange || (one.exchange->name == other.exchange->name && one.exchange->line == other.exchange->line));
            if (alike) {
                told[u] = true;
                same++;
            }
        }
        used += snprintf(text + used, room - used, "%s%u thread%s, the first (%u, %u, %u), wait%s in line %d at %s", separator, same, same == 1 ? "" : "s",
            one.index.x, one.index.y, one.index.z, same == 1 ? "s" : "", one.exchange ? one.exchange->line : one.barrier_line,
            one.exchange ? one.exchange->name : "__syncthreads");
        separator = "; ";
    }
}

EMULATOR_CALL void run_next() {
    if (state.ready_count == 0) {
        if (state.alive > 0) {
            describe_deadlock();
            fault(Other, 0, state.report->text);
        }
        leave_to_main();
        abort();
    }
    if (state.launch.schedule == Shuffled) {
        unsigned at = random_below(state.ready_count), last = state.ready_count - 1, t = state.ready[at];
        state.ready[at] = state.ready[last];
        state.ready[last] = t;
    }
    Thread* next = &state.threads[state.ready[--state.ready_count]];
    Thread* before = current;
    if (next == before)
        return;
    current = next;
    emulation_switch(&before->stack_pointer, next->stack_pointer);
}

// ---- barriers and exchanges within a warp

EMULATOR inline void release_barrier_if_all_arrived() {
    if (state.arrived != state.alive || state.alive == 0)
        return;
    state.barrier_or = state.votes_or;
    state.barrier_and = state.votes_and;
    state.barrier_count = state.votes_count;
    state.votes_or = state.votes_count = 0;
    state.votes_and = 1;
    state.arrived = 0;
    state.epoch++;
    for (unsigned t = 0; t < state.count; t++)
        state.threads[t].barrier_line = 0;
    make_ready(0, state.count, 0, true);
}

EMULATOR_CALL void barrier(int line, int vote) {
    const Thread& other = state.threads[state.waiting];
    if (state.arrived > 0 && other.barrier_line != line) {
        snprintf(state.report->text, sizeof state.report->text, "arrives at the __syncthreads of line %d while thread (%u, %u, %u) waits at another, of line %d",
            line, other.index.x, other.index.y, other.index.z, other.barrier_line);
        fault(Other, 0, state.report->text);
    }
    state.waiting = current->number;   // all that wait do so at one line; one is enough
    current->barrier_line = line;
    state.arrived++;
    state.votes_or |= vote != 0;
    state.votes_and &= vote != 0;
    state.votes_count += vote != 0;
    release_barrier_if_all_arrived();
    run_next();
}

EMULATOR inline Thread& lane_of_warp(unsigned lane) { return state.threads[current->warp * WarpSize + lane]; }

EMULATOR_CALL bool complete_if_all_arrived(unsigned warp, unsigned lane) {
    Thread* lanes = &state.threads[warp * WarpSize];
    Exchange& mine = *lanes[lane].exchange;
    unsigned participants = mine.mask & state.warps[warp].alive;
    Exchange* all[WarpSize] = {};
    for (unsigned l = 0; l < WarpSize; l++) {
        if (!(participants >> l & 1))
            continue;
        if (!lanes[l].exchange)
            return false;
        all[l] = lanes[l].exchange;
    }
    for (unsigned l = 0; l < WarpSize; l++) {
        if (all[l] && (all[l]->complete != mine.complete || all[l]->mask != mine.mask)) {
            snprintf(state.report->text, sizeof state.report->text, "lane %u is at %s (line %d, mask 0x%08x) while lane %u is at %s (line %d, mask 0x%08x)",
                lane, mine.name, mine.line, mine.mask, l, all[l]->name, all[l]->line, all[l]->mask);
            fault(Other, 0, state.report->text);
        }
    }
    mine.complete(all, participants);
    for (unsigned l = 0; l < WarpSize; l++) {
        if (participants >> l & 1)
            lanes[l].exchange = nullptr;
    }
    unsigned first = warp * WarpSize, count = state.count - first < WarpSize ? state.count - first : WarpSize;
    make_ready(first, count, participants, false);
    return true;
}

EMULATOR_CALL void exchange(Exchange& mine) {
    if (!(mine.mask >> current->lane & 1)) {
        snprintf(state.report->text, sizeof state.report->text, "calls %s in line %d with the mask 0x%08x, which does not name its own lane %u", mine.name, mine.line, mine.mask, current->lane);
        fault(Other, 0, state.report->text);
    }
    current->exchange = &mine;
    complete_if_all_arrived(current->warp, current->lane);
    run_next();
}

EMULATOR_CALL void thread_main() {
    state.launch.run(state.launch.arguments);
    Warp& warp = state.warps[current->warp];
    current->done = true;
    state.alive--;
    warp.alive &= ~(1u << current->lane);
    release_barrier_if_all_arrived();   // who has ended is not waited for
    for (unsigned l = 0; l < WarpSize; l++) {
        if ((warp.alive >> l & 1) && lane_of_warp(l).exchange && complete_if_all_arrived(current->warp, l))
            break;
    }
    run_next();
    abort();
}

// ---- memory

EMULATOR_CALL const Global* nearest_global(uintptr_t address) {
    const Global* nearest = nullptr;
    for (size_t i = 0; i < state.global_count; i++) {
        const Global& g = state.globals[i];
        if (g.begin <= address && (!nearest || g.begin > nearest->begin))
            nearest = &g;
    }
    return nearest;
}

EMULATOR_CALL void describe_shared(char* text, size_t room, uintptr_t address) {
    uintptr_t dynamic = reinterpret_cast<uintptr_t>(dynamic_shared_memory);
    if (address >= dynamic && address < dynamic + sizeof dynamic_shared_memory)
        snprintf(text, room, "byte %llu of the %u bytes of dynamic shared memory", static_cast<unsigned long long>(address - dynamic), state.launch.shared_bytes);
    else if (const Global* g = nearest_global(address))
        snprintf(text, room, "byte %llu of the %llu bytes of the shared '%s'", static_cast<unsigned long long>(address - g->begin), static_cast<unsigned long long>(g->bytes), g->name);
    else
        snprintf(text, room, "shared memory where there is no variable");
}

EMULATOR_CALL void access_fault(uintptr_t address, uint64_t bytes, bool write, uintptr_t code) {
    Report& r = *state.report;
    r.address = address;
    r.bytes = bytes;
    r.is_write = write;
    r.text[0] = 0;
    if (address - state.module < state.module_bytes)
        describe_shared(r.text, sizeof r.text, address);
    else if (address - state.launch.arena >= state.launch.arena_bytes) {
        uintptr_t stacks = reinterpret_cast<uintptr_t>(state.stacks);
        if (address - stacks < MostThreads * (StackBytes + PageBytes))
            snprintf(r.text, sizeof r.text, "local variables of another thread, or beyond its own");
        else
            snprintf(r.text, sizeof r.text, address < PageBytes ? "a null pointer: an array that is absent" : "memory that is none of its arrays");
    }
    fault(Access, code, r.text);
}

EMULATOR_CALL void race_fault(uintptr_t address, bool write, bool other_wrote, int other, uintptr_t code) {
    char where[256];
    describe_shared(where, sizeof where, address);
    const Size& o = state.threads[other].index;
    bool same_warp = state.threads[other].warp == current->warp;
    snprintf(state.report->text, sizeof state.report->text, "a race: %s %s, which thread (%u, %u, %u) %s since the last %s", write ? "writes" : "reads", where,
        o.x, o.y, o.z, other_wrote ? "wrote" : "read", same_warp ? "__syncthreads or __syncwarp" : "__syncthreads");
    fault(Other, code, state.report->text);
}

// Two threads touch a word, at least one writes it, and nothing orders them.
EMULATOR inline void check_race(uintptr_t address, bool write, uintptr_t code) {
    Word& w = state.words[(address - reinterpret_cast<uintptr_t>(__bss_start)) >> 2];
    const int me = static_cast<int>(current->number), warp = static_cast<int>(current->warp);
    const unsigned warp_epoch = state.warps[warp].epoch;
    const bool reader_of_warp = w.reader / static_cast<int>(WarpSize) == warp;
    if (w.write_epoch == state.epoch && w.writer != me && !(w.writer / static_cast<int>(WarpSize) == warp && w.write_warp_epoch != warp_epoch))
        race_fault(address, write, true, w.writer, code);
    // What was read before a __syncwarp of the only warp that read it is in order with what that warp does now.
    const bool reads_count = w.read_epoch == state.epoch && !(reader_of_warp && !w.many_warps_read && w.read_warp_epoch != warp_epoch);
    if (write) {
        if (reads_count && (w.reader != me || w.other_reader >= 0))
            race_fault(address, write, false, w.reader != me ? w.reader : w.other_reader, code);
        w.write_epoch = state.epoch;
        w.write_warp_epoch = warp_epoch;
        w.writer = static_cast<short>(me);
    } else if (!reads_count) {
        w.read_epoch = state.epoch;
        w.read_warp_epoch = warp_epoch;
        w.reader = static_cast<short>(me);
        w.other_reader = -1;
        w.many_warps_read = false;
    } else if (w.reader != me) {
        w.other_reader = static_cast<short>(me);
        w.many_warps_read |= !reader_of_warp;
    }
}

EMULATOR inline bool shadow_allows(const unsigned char* shadow, uintptr_t offset, uint64_t bytes) {
    // Wide accesses touch several cells; the last one says how far they may go.
    uintptr_t first = offset >> 3, last = (offset + bytes - 1) >> 3;
    for (uintptr_t cell = first; cell < last; cell++) {
        if (shadow[cell] != 8)
            return false;
    }
    return shadow[last] > ((offset + bytes - 1) & 7);
}

EMULATOR inline void check(uintptr_t address, uint64_t bytes, bool write, uintptr_t code, bool atomic = false) {
    if (--state.budget == 0)
        fault(Other, code, "has not ended after so many accesses to memory that it never will: does it wait for another block?");
    uintptr_t offset = address - state.launch.arena;
    if (__builtin_expect(offset < state.launch.arena_bytes, 1)) {
        if (__builtin_expect(!shadow_allows(state.launch.arena_shadow, offset, bytes), 0))
            access_fault(address, bytes, write, code);
    } else if (address - reinterpret_cast<uintptr_t>(current->stack) < StackBytes) {
        return;
    } else if (offset = address - state.module, offset < state.module_bytes) {
        if (__builtin_expect(!shadow_allows(state.module_shadow, offset, bytes), 0))
            access_fault(address, bytes, write, code);
        if (address >= reinterpret_cast<uintptr_t>(__bss_start) && bytes >= 4 && !atomic) {
            for (uint64_t i = 0; i < bytes; i += 4)
                check_race(address + i, write, code);
        }
    } else {
        access_fault(address, bytes, write, code);
    }
    if (__builtin_expect((bytes == 8 || bytes == 16) && (address & (bytes - 1)), 0)) {
        snprintf(state.report->text, sizeof state.report->text, "%s %llu bytes at an address that is no multiple of them", write ? "writes" : "reads", static_cast<unsigned long long>(bytes));
        fault(Other, code, state.report->text);
    }
}

template <class T> EMULATOR inline void check_atomic(const T* address, void* code) {
    check(reinterpret_cast<uintptr_t>(address), sizeof(T), true, reinterpret_cast<uintptr_t>(code), true);
}

struct AsanGlobal {
    uintptr_t begin, bytes, bytes_with_zone;
    const char* name;
    const char* module;
    uintptr_t dynamic_init;
    void* location;
    uintptr_t odr_indicator;
};

EMULATOR_CALL void allow(uintptr_t begin, uint64_t bytes, uint64_t bytes_with_zone) {
    unsigned char* shadow = state.module_shadow + ((begin - state.module) >> 3);
    for (uint64_t i = 0; i < (bytes_with_zone + 7) / 8; i++) {
        uint64_t left = bytes > i * 8 ? bytes - i * 8 : 0;
        shadow[i] = static_cast<unsigned char>(left > 8 ? 8 : left);
    }
}

EMULATOR_CALL void prepare_module() {
    if (state.module)
        return;
    state.module = reinterpret_cast<uintptr_t>(__ehdr_start);
    state.module_bytes = reinterpret_cast<uintptr_t>(_end) - state.module;
    state.module_shadow = static_cast<unsigned char*>(malloc(state.module_bytes / 8 + 1));
    size_t before_bss = (reinterpret_cast<uintptr_t>(__bss_start) - state.module) >> 3;
    memset(state.module_shadow, 8, before_bss);
    memset(state.module_shadow + before_bss, 0, state.module_bytes / 8 + 1 - before_bss);
    state.words = static_cast<Word*>(calloc((_end - __bss_start) / 4 + 1, sizeof(Word)));
}

// ---- what GCC calls

extern "C" {
#define EMULATOR_ACCESS(bytes) \
    EMULATOR_CALL void __asan_load##bytes##_noabort(uintptr_t address) { check(address, bytes, false, reinterpret_cast<uintptr_t>(__builtin_return_address(0))); } \
    EMULATOR_CALL void __asan_store##bytes##_noabort(uintptr_t address) { check(address, bytes, true, reinterpret_cast<uintptr_t>(__builtin_return_address(0))); }
EMULATOR_ACCESS(1)
EMULATOR_ACCESS(2)
EMULATOR_ACCESS(4)
EMULATOR_ACCESS(8)
EMULATOR_ACCESS(16)
EMULATOR_CALL void __asan_loadN_noabort(uintptr_t address, size_t bytes) { check(address, bytes, false, reinterpret_cast<uintptr_t>(__builtin_return_address(0))); }
EMULATOR_CALL void __asan_storeN_noabort(uintptr_t address, size_t bytes) { check(address, bytes, true, reinterpret_cast<uintptr_t>(__builtin_return_address(0))); }
EMULATOR_CALL void __asan_handle_no_return() {}
EMULATOR_CALL void __asan_unregister_globals(AsanGlobal*, size_t) {}

// What the language forbids, at the line of the source: an index beyond an array's bounds, an address that does not suit its type, a division
// by zero.
struct SourceLocation {
    const char* file;
    unsigned line, column;
};

#define EMULATOR_FORBIDDEN(name, sentence) \
    EMULATOR_CALL void __ubsan_handle_##name(SourceLocation* where, uintptr_t value, uintptr_t) { \
        snprintf(state.report->text, sizeof state.report->text, "line %u: " sentence, where->line, static_cast<long long>(value)); \
        fault(Other, 0, state.report->text); \
    }
EMULATOR_FORBIDDEN(out_of_bounds, "the index %lld is out of its array's bounds")
EMULATOR_FORBIDDEN(out_of_bounds_abort, "the index %lld is out of its array's bounds")
EMULATOR_FORBIDDEN(type_mismatch_v1, "the address 0x%llx is no multiple of what its type wants")
EMULATOR_FORBIDDEN(type_mismatch_v1_abort, "the address 0x%llx is no multiple of what its type wants")
EMULATOR_FORBIDDEN(divrem_overflow, "%lld is divided by zero")
EMULATOR_FORBIDDEN(divrem_overflow_abort, "%lld is divided by zero")

// Every static variable, with the gap after it that GCC leaves. Those without a value are shared memory.
EMULATOR_CALL void __asan_register_globals(AsanGlobal* all, size_t count) {
    prepare_module();
    state.globals = static_cast<Global*>(realloc(state.globals, (state.global_count + count) * sizeof(Global)));
    for (size_t i = 0; i < count; i++) {
        allow(all[i].begin, all[i].bytes, all[i].bytes_with_zone);
        if (all[i].begin >= reinterpret_cast<uintptr_t>(__bss_start))
            state.globals[state.global_count++] = {all[i].name, all[i].begin, all[i].bytes};
    }
}
}

// ---- launches

EMULATOR_CALL void forget_what_is_under_way();   // of hopper_twins.h

EMULATOR_CALL void start_block() {
    forget_what_is_under_way();
    // Nothing is known of shared memory when a block begins.
    for (size_t i = 0; i < state.global_count; i++)
        memset(reinterpret_cast<void*>(state.globals[i].begin), Uninitialised, state.globals[i].bytes);
    memset(dynamic_shared_memory, Uninitialised, state.launch.shared_bytes);
    state.epoch++;
    state.alive = state.count;
    state.arrived = 0;
    state.votes_or = state.votes_count = 0;
    state.votes_and = 1;
    state.ready_count = 0;
    const Size& b = state.launch.block;
    memset(state.warps, 0, sizeof state.warps);
    for (unsigned i = 0; i < state.count; i++) {
        Thread& t = state.threads[i];
        t.number = i;
        t.index = {i % b.x, i / b.x % b.y, i / (b.x * b.y)};
        t.warp = i / WarpSize;
        t.lane = i % WarpSize;
        t.done = false;
        t.barrier_line = 0;
        t.exchange = nullptr;
        t.copy_group = 0;
        t.copy_count = 0;
        t.stack = state.stacks + i * (StackBytes + PageBytes) + PageBytes;
        t.stack_pointer = first_stack_pointer(t.stack, thread_main);
        state.warps[t.warp].present |= 1u << t.lane;
        state.warps[t.warp].alive = state.warps[t.warp].present;
    }
    make_ready(0, state.count, 0, true);
}

extern "C" __attribute__((visibility("default"))) EMULATOR_CALL int zoo_emulation_launch(const Launch* launch, Report* report) {
    prepare_module();
    if (!state.stacks) {
        void* memory = mmap(nullptr, MostThreads * (StackBytes + PageBytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return -1;
        state.stacks = static_cast<char*>(memory);
        for (unsigned i = 0; i < MostThreads; i++)
            mprotect(state.stacks + i * (StackBytes + PageBytes), PageBytes, PROT_NONE);
    }
    state.launch = *launch;
    state.report = report;
    state.random = launch->seed;
    state.budget = launch->budget;
    state.count = launch->block.x * launch->block.y * launch->block.z;
    *report = {};
    allow(reinterpret_cast<uintptr_t>(dynamic_shared_memory), launch->shared_bytes, sizeof dynamic_shared_memory);
    const uint64_t blocks = static_cast<uint64_t>(launch->grid.x) * launch->grid.y * launch->grid.z;
    for (uint64_t i = 0; i < blocks; i++) {
        // No kernel may depend on the order of blocks, either.
        uint64_t n = launch->schedule == Ascending ? i : blocks - 1 - i;
        state.block = {static_cast<unsigned>(n % launch->grid.x), static_cast<unsigned>(n / launch->grid.x % launch->grid.y),
            static_cast<unsigned>(n / launch->grid.x / launch->grid.y)};
        start_block();
        current = &state.threads[state.ready[--state.ready_count]];
        emulation_switch(&state.main_stack_pointer, current->stack_pointer);
        current = nullptr;
        if (report->kind != None)
            return 1;
    }
    return 0;
}

// A kernel's parameters, for the launch to be checked against: p pointer, i 4 bytes, l 8 bytes, f float, ? anything else.
template <class T> constexpr char code_of() {
    return std::is_pointer<T>::value ? 'p' : std::is_same<T, float>::value ? 'f'
        : (std::is_integral<T>::value || std::is_enum<T>::value) && sizeof(T) == 4 ? 'i'
        : std::is_integral<T>::value && sizeof(T) == 8 ? 'l' : '?';
}

template <class... A> struct Signature {
    static constexpr char text[] = {code_of<A>()..., 0};
};
template <class... A> constexpr const char* signature(void (*)(A...)) { return Signature<A...>::text; }

template <class... A, size_t... I> EMULATOR inline void call(void (*kernel)(A...), void** arguments, std::integer_sequence<size_t, I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
}
template <class... A> EMULATOR inline void call(void (*kernel)(A...), void** arguments) {
    call(kernel, arguments, std::make_integer_sequence<size_t, sizeof...(A)>());
}

}

#define ZOO_EMULATED_KERNEL(name) \
    extern "C" __attribute__((visibility("default"))) EMULATOR_CALL void zoo_run_##name(void** arguments) { emulation::call(&name, arguments); } \
    extern "C" __attribute__((visibility("default"))) EMULATOR_CALL const char* zoo_signature_##name() { return emulation::signature(&name); }

#include "builtins.h"
#include "twins.h"
#include "hopper_twins.h"
