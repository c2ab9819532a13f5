/* The floor: what it costs at the least to learn which DLLs images import. Maps each file, walks its import names,
   resolves nothing. Only for images that are as they should be. */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint16_t u16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* The byte of the file that is loaded to this address. */
static const uint8_t *at_rva(const uint8_t *file, const uint8_t *pe, uint32_t rva) {
    const uint8_t *section = pe + 24 + u16(pe + 20);
    for (int left = u16(pe + 6); left > 0; left--, section += 40) {
        uint32_t start = u32(section + 12), length = u32(section + 16);
        if (rva >= start && rva - start < length) return file + u32(section + 20) + (rva - start);
    }
    return NULL;
}

static int count_imports(const uint8_t *file) {
    const uint8_t *pe = file + u32(file + 0x3c), *optional = pe + 24;
    const uint8_t *directories = optional + (u16(optional) == 0x20b ? 112 : 96);
    uint32_t imports = u32(directories + 8);
    const uint8_t *descriptor = imports ? at_rva(file, pe, imports) : NULL;
    int count = 0;
    for (; descriptor && u32(descriptor + 12); descriptor += 20) {
        const uint8_t *name = at_rva(file, pe, u32(descriptor + 12));
        count += name && strlen((const char *)name) > 0;
    }
    return count;
}

int main(int argc, char **argv) {
    int count = 0;
    for (int n = 1; n < argc; n++) {
        struct stat status;
        int fd = open(argv[n], O_RDONLY);
        if (fd < 0 || fstat(fd, &status) < 0) return perror(argv[n]), 1;
        void *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file == MAP_FAILED) return perror(argv[n]), 1;
        count += count_imports(file);
        munmap(file, (size_t)status.st_size);
        close(fd);
    }
    printf("%d imports of %d images\n", count, argc - 1);
}
