// The C++ twins of the PTX in zoo.cuh, with the hardware's layouts of fragments (PTX ISA, "Warp-level matrix instructions").
#pragma once

namespace emulation {

template <class T> EMULATOR inline T* dynamic_shared() { return reinterpret_cast<T*>(dynamic_shared_memory); }

// ---- approximations: exact to the last place or two here; subnormal inputs and results are zero, as with .ftz

EMULATOR inline float flush(float x) { return fabsf(x) < 1.17549435e-38f ? copysignf(0, x) : x; }
EMULATOR inline float exp2_approximate(float x) { return flush(exp2f(flush(x))); }
EMULATOR inline float log2_approximate(float x) { return log2f(flush(x)); }
EMULATOR inline float reciprocal_approximate(float x) { return flush(1 / flush(x)); }
EMULATOR inline float tanh_approximate(float x) { return tanhf(x); }

// ---- conversions

EMULATOR inline unsigned short bits_of_bf16(float x) {
    unsigned u;
    memcpy(&u, &x, sizeof u);
    return (u & 0x7FFFFFFF) > 0x7F800000 ? 0x7FFF : static_cast<unsigned short>((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

EMULATOR inline float value_of_bf16(unsigned short bits) {
    unsigned u = static_cast<unsigned>(bits) << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

EMULATOR inline unsigned short bits_of_fp16(float x) {
    if (x != x)
        return 0x7FFF;
    const unsigned short sign = std::signbit(x) ? 0x8000 : 0;
    const float a = fabsf(x);
    if (a >= 65520.f)
        return sign | 0x7C00;
    if (a < 6.103515625e-05f)   // subnormal: units of 2^-24
        return sign | static_cast<unsigned short>(nearbyintf(a * 16777216.f));
    int exponent;
    frexpf(a, &exponent);
    const int fraction = static_cast<int>(nearbyintf(ldexpf(a, 11 - exponent)));   // 1024 to 2048
    return sign | static_cast<unsigned short>(((exponent + 13) << 10) + fraction);   // a carry goes into the exponent; exponent - 1 + 15 - 1
}

EMULATOR inline float value_of_fp16(unsigned short bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float a = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent ? ldexpf(static_cast<float>(1024 + fraction), exponent - 25) : ldexpf(static_cast<float>(fraction), -24);
    return bits & 0x8000 ? -a : a;
}

// ---- copies that are not there before they are waited for

EMULATOR_CALL void copy_async(void* to, const void* from, unsigned bytes, unsigned valid, const char* name) {
    const uintptr_t code = reinterpret_cast<uintptr_t>(__builtin_return_address(0)), target = reinterpret_cast<uintptr_t>(to);
    if ((target | reinterpret_cast<uintptr_t>(from)) & (bytes - 1)) {
        snprintf(state.report->text, sizeof state.report->text, "%s: %u bytes from or to an address that is no multiple of them", name, bytes);
        fault(Other, code, state.report->text);
    }
    if (target - state.module >= state.module_bytes)
        fault(Other, code, "cp.async to memory that is not shared");
    if (valid)
        check(reinterpret_cast<uintptr_t>(from), valid, false, code);
    check(target, bytes, true, code);
    Thread& t = *current;
    if (t.copy_count == t.copy_room) {
        t.copy_room = t.copy_room ? 2 * t.copy_room : 64;
        t.copies = static_cast<Copy*>(realloc(t.copies, t.copy_room * sizeof(Copy)));
    }
    t.copies[t.copy_count++] = {to, from, bytes, valid, t.copy_group};
    memset(to, Uninitialised, bytes);   // whoever reads it too early sees NaN
}

EMULATOR_CALL void copy_commit() { current->copy_group++; }

EMULATOR_CALL void copy_wait(int pending) {
    Thread& t = *current;
    int left = 0;
    for (int i = 0; i < t.copy_count; i++) {
        const Copy& c = t.copies[i];
        if (c.group < t.copy_group - pending) {
            memset(c.to, 0, c.bytes);
            memcpy(c.to, c.from, c.valid);
        } else {
            t.copies[left++] = c;
        }
    }
    t.copy_count = left;
}

// ---- matrices of a warp

struct LoadMatrix : Exchange {
    const void* row;
    unsigned* registers;
    int count;
    bool transposed;
    uintptr_t code;
};

EMULATOR_CALL void complete_load_matrix(Exchange** lanes, unsigned) {
    const int count = static_cast<LoadMatrix*>(lanes[0])->count;
    for (int m = 0; m < count; m++) {
        unsigned short tile[8][8];
        for (int r = 0; r < 8; r++)
            memcpy(tile[r], static_cast<LoadMatrix*>(lanes[8 * m + r])->row, sizeof tile[r]);
        for (unsigned l = 0; l < WarpSize; l++) {
            LoadMatrix& to = *static_cast<LoadMatrix*>(lanes[l]);
            const unsigned r = l / 4, c = l % 4 * 2;
            const unsigned low = to.transposed ? tile[c][r] : tile[r][c], high = to.transposed ? tile[c + 1][r] : tile[r][c + 1];
            to.registers[m] = low | high << 16;
        }
    }
}

EMULATOR_CALL void whole_warp(const char* name, uintptr_t code) {
    if (state.warps[current->warp].alive == ~0u)
        return;
    snprintf(state.report->text, sizeof state.report->text, "%s needs all 32 lanes of the warp; active are 0x%08x", name, state.warps[current->warp].alive);
    fault(Other, code, state.report->text);
}

EMULATOR_CALL void load_matrix(unsigned* registers, const void* row, int count, bool transposed) {
    const uintptr_t code = reinterpret_cast<uintptr_t>(__builtin_return_address(0)), address = reinterpret_cast<uintptr_t>(row);
    whole_warp("ldmatrix", code);
    if (current->lane < 8u * count) {   // the other lanes' addresses are not used
        if (address & 15)
            fault(Other, code, "ldmatrix from a row that does not begin at a multiple of 16 bytes");
        if (address - state.module >= state.module_bytes)
            fault(Other, code, "ldmatrix from memory that is not shared");
        check(address, 16, false, code);
    }
    LoadMatrix e{{"ldmatrix", 0, ~0u, complete_load_matrix}, row, registers, count, transposed, code};
    exchange(e);
}

// Elements of one 32-bit register.
struct Tf32 {
    using Sum = float;
    static constexpr int PerRegister = 1;
    EMULATOR static Sum value(unsigned r, int) {
        float x;
        r &= 0xFFFFE000;   // the lower 13 bits are not read
        memcpy(&x, &r, sizeof x);
        return x;
    }
};
struct Bf16 {
    using Sum = float;
    static constexpr int PerRegister = 2;
    EMULATOR static Sum value(unsigned r, int i) { return value_of_bf16(static_cast<unsigned short>(r >> (16 * i))); }
};
struct Fp16 {
    using Sum = float;
    static constexpr int PerRegister = 2;
    EMULATOR static Sum value(unsigned r, int i) { return value_of_fp16(static_cast<unsigned short>(r >> (16 * i))); }
};
struct E4m3 {
    using Sum = float;
    static constexpr int PerRegister = 4;
    EMULATOR static Sum value(unsigned r, int i) {
        const unsigned b = r >> (8 * i) & 0xFF, exponent = b >> 3 & 15, fraction = b & 7;
        const float a = (b & 0x7F) == 0x7F ? NAN : exponent ? ldexpf(static_cast<float>(8 + fraction), static_cast<int>(exponent) - 10) : ldexpf(static_cast<float>(fraction), -9);
        return b & 0x80 ? -a : a;
    }
};
struct Int8 {
    using Sum = int;
    static constexpr int PerRegister = 4;
    EMULATOR static Sum value(unsigned r, int i) { return static_cast<signed char>(r >> (8 * i)); }
};

template <class Element> struct Multiply : Exchange {
    typename Element::Sum* d;
    const unsigned* a;
    const unsigned* b;
};

// D (16 × 8) += A (16 × k) · B (k × 8), where k is eight times the elements of a register. Lane l has g = l / 4 and t = l % 4, and a register
// of E elements: A's r-th is row g + 8 (r mod 2), columns 4E (r / 2) + E t …; B's r-th is column g, rows 4E r + E t …; D's i-th element is row
// g + 8 (i / 2), column 2 t + i mod 2.
template <class Element> EMULATOR_CALL void complete_multiply(Exchange** lanes, unsigned) {
    constexpr int E = Element::PerRegister, K = 8 * E;
    using Sum = typename Element::Sum;
    Sum a[16][K], b[8][K];
    for (unsigned l = 0; l < WarpSize; l++) {
        const auto& from = *static_cast<Multiply<Element>*>(lanes[l]);
        const int g = l / 4, t = l % 4;
        for (int e = 0; e < E; e++) {
            for (int r = 0; r < 4; r++)
                a[g + 8 * (r % 2)][4 * E * (r / 2) + E * t + e] = Element::value(from.a[r], e);
            for (int r = 0; r < 2; r++)
                b[g][4 * E * r + E * t + e] = Element::value(from.b[r], e);
        }
    }
    for (unsigned l = 0; l < WarpSize; l++) {
        auto& to = *static_cast<Multiply<Element>*>(lanes[l]);
        const int g = l / 4, t = l % 4;
        for (int i = 0; i < 4; i++) {
            const Sum* row = a[g + 8 * (i / 2)];
            const Sum* column = b[2 * t + i % 2];
            Sum sum = 0;
            for (int k = 0; k < K; k++)
                sum += row[k] * column[k];
            to.d[i] += sum;
        }
    }
}

template <class Element> EMULATOR_CALL void multiply(typename Element::Sum* d, const unsigned* a, const unsigned* b) {
    whole_warp("mma", reinterpret_cast<uintptr_t>(__builtin_return_address(0)));
    Multiply<Element> e;
    static_cast<Exchange&>(e) = Exchange{"mma", 0, ~0u, complete_multiply<Element>};
    e.d = d;
    e.a = a;
    e.b = b;
    exchange(e);
}

}
