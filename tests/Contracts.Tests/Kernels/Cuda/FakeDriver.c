// Stands in for libcuda.so.1: memory is the host's, kernels only leave a line in a log, any function can be told to fail. What it shows is
// that Zoo calls the driver as its manual says, in the right order, and what Zoo makes of errors.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[1 << 16];
static char failing[64];
static int error, architecture = 90, pools = 1;
static void* context;   // the thread's current one
static char the_context, the_module, the_function, the_pool, the_event;

#define LOG(...) (used += snprintf(text + used, sizeof text - used, __VA_ARGS__))
#define FAIL(name) if (!strcmp(failing, name)) return error
#define NEED_CONTEXT if (context != &the_context) return 201
static size_t used;

const char* fake_log(void) { return text; }
void fake_reset(int new_architecture, int new_pools) { used = 0; text[0] = 0; failing[0] = 0; architecture = new_architecture; pools = new_pools; context = 0; }
void fake_fail(const char* name, int with) { snprintf(failing, sizeof failing, "%s", name); error = with; }

int cuInit(unsigned flags) { FAIL("cuInit"); return 0; }
int cuGetErrorName(int e, const char** s) { *s = e == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : e == 1 ? "CUDA_ERROR_INVALID_VALUE" : e == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_UNKNOWN"; return 0; }
int cuGetErrorString(int e, const char** s) { *s = e == 719 ? "unspecified launch failure" : e == 1 ? "invalid argument" : e == 2 ? "out of memory" : "unknown error"; return 0; }
int cuDriverGetVersion(int* version) { *version = 12040; return 0; }
int cuDeviceGet(int* device, int index) { *device = index; return 0; }
int cuDeviceGetCount(int* count) { *count = 1; return 0; }
int cuDeviceGetName(char* name, int length, int device) { snprintf(name, length, "NVIDIA Fake"); return 0; }
int cuDeviceGetAttribute(int* value, int which, int device) {
    *value = which == 75 ? architecture / 10 : which == 76 ? architecture % 10 : which == 16 ? 100 : which == 97 ? 200000 : which == 115 ? pools : -1;
    return 0;
}
int cuDevicePrimaryCtxRetain(void** c, int device) { LOG("retain;"); *c = &the_context; return 0; }
int cuCtxGetCurrent(void** c) { *c = context; return 0; }
int cuCtxPushCurrent_v2(void* c) { context = c; LOG("push;"); return 0; }
int cuCtxPopCurrent_v2(void** c) { *c = context; context = 0; LOG("pop;"); return 0; }
int cuModuleLoadData(void** m, const char* image) { NEED_CONTEXT; FAIL("cuModuleLoadData"); LOG("module %.4s;", image); *m = &the_module; return 0; }
int cuModuleGetFunction(void** f, void* m, const char* name) { NEED_CONTEXT; if (!strcmp(name, "none")) return 500; LOG("function %s;", name); *f = &the_function; return 0; }
int cuFuncSetAttribute(void* f, int which, int value) { NEED_CONTEXT; FAIL("cuFuncSetAttribute"); LOG("attribute %d=%d;", which, value); return 0; }
int cuFuncGetAttribute(int* value, int which, void* f) { *value = which == 1 ? 1024 : 0; return 0; }
// The kernel: (pointer, int, float, long long)
int cuFuncGetParamInfo(void* f, size_t index, size_t* offset, size_t* size) {
    static const size_t sizes[] = {8, 4, 4, 8};
    if (index >= 4) return 1;
    *offset = 8 * index;
    *size = sizes[index];
    return 0;
}
int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void* stream, void** arguments, void** extra) {
    NEED_CONTEXT;
    FAIL("cuLaunchKernel");
    float x;
    memcpy(&x, arguments[2], 4);
    LOG("launch %u,%u,%u %u,%u,%u shared %u stream %p: %d %g %lld;", gx, gy, gz, bx, by, bz, shared, stream, *(int*)arguments[1], x, *(long long*)arguments[3]);
    return 0;
}
int cuMemAlloc_v2(void** p, size_t n) { NEED_CONTEXT; FAIL("cuMemAlloc_v2"); *p = malloc(n); LOG("alloc %zu;", n); return 0; }
int cuMemFree_v2(void* p) { NEED_CONTEXT; free(p); LOG("free;"); return 0; }
int cuMemAllocAsync(void** p, size_t n, void* stream) { NEED_CONTEXT; FAIL("cuMemAllocAsync"); *p = malloc(n); LOG("alloc %zu;", n); return 0; }
int cuMemFreeAsync(void* p, void* stream) { NEED_CONTEXT; free(p); LOG("free;"); return 0; }
int cuDeviceGetDefaultMemPool(void** pool, int device) { *pool = &the_pool; return 0; }
int cuMemPoolSetAttribute(void* pool, int which, void* value) { LOG("keep %d=%lld;", which, *(long long*)value); return 0; }
int cuMemsetD8Async(void* p, unsigned char v, size_t n, void* stream) { NEED_CONTEXT; memset(p, v, n); LOG("fill %zu;", n); return 0; }
int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t n, void* stream) { NEED_CONTEXT; memcpy(to, from, n); LOG("in %zu;", n); return 0; }
int cuMemcpyDtoH_v2(void* to, const void* from, size_t n) { NEED_CONTEXT; FAIL("cuMemcpyDtoH_v2"); memcpy(to, from, n); LOG("out %zu;", n); return 0; }
int cuStreamSynchronize(void* stream) { NEED_CONTEXT; FAIL("cuStreamSynchronize"); LOG("synchronize;"); return 0; }
int cuEventCreate(void** e, unsigned flags) { NEED_CONTEXT; *e = &the_event; return 0; }
int cuEventRecord(void* e, void* stream) { LOG("record;"); return 0; }
int cuEventSynchronize(void* e) { return 0; }
int cuEventElapsedTime(float* ms, void* a, void* b) { *ms = 1.5f; return 0; }
int cuEventDestroy_v2(void* e) { LOG("destroy;"); return 0; }
