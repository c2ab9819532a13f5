/* The lower bound: the minimal cost of finding out which DLLs images import. Maps each file and
   walks its import names, without resolving them. With `-s` it also looks up every symbol that they
   import from each other, by binary search. Only for valid images. */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
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

/* Returns the byte of the file that is loaded at this address. */
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

struct image {
    const char *name;
    const uint8_t *file, *pe;
};

/* Whether an image exports a symbol: its name, or `#` and an ordinal. */
static int exports(const struct image *image, const char *name, uint32_t ordinal) {
    const uint8_t *optional = image->pe + 24;
    uint32_t rva = u32(optional + (u16(optional) == 0x20b ? 112 : 96));
    const uint8_t *table = rva ? at_rva(image->file, image->pe, rva) : NULL;
    if (!table) return 0;
    if (!name) return ordinal >= u32(table + 16) && ordinal - u32(table + 16) < u32(table + 20);
    const uint8_t *names = at_rva(image->file, image->pe, u32(table + 32));
    for (uint32_t start = 0, end = u32(table + 24); start < end;) {
        uint32_t middle = start + (end - start) / 2;
        int order = strcmp((const char *)at_rva(image->file, image->pe, u32(names + 4 * middle)), name);
        if (order == 0) return 1;
        if (order < 0) start = middle + 1;
        else end = middle;
    }
    return 0;
}

/* Looks up what the images, which are 64-bit, import from each other. */
static int look_up(int argc, char **argv) {
    struct image *images = calloc((size_t)argc, sizeof *images);
    int symbols = 0, found = 0, given = 0;
    for (int n = 0; n < argc; n++) {
        struct stat status;
        int fd = open(argv[n], O_RDONLY);
        if (fd < 0 || fstat(fd, &status) < 0) return perror(argv[n]), 1;
        const uint8_t *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file == MAP_FAILED) return perror(argv[n]), 1;
        madvise((void *)file, (size_t)status.st_size, MADV_RANDOM);
        close(fd);
        const char *slash = strrchr(argv[n], '/');
        images[n] = (struct image){slash ? slash + 1 : argv[n], file, file + u32(file + 0x3c)};
    }
    for (int n = 0; n < argc; n++) {
        const uint8_t *file = images[n].file, *pe = images[n].pe;
        uint32_t imports = u32(pe + 24 + 112 + 8);
        const uint8_t *descriptor = imports ? at_rva(file, pe, imports) : NULL;
        for (; descriptor && u32(descriptor + 12); descriptor += 20) {
            const char *dll = (const char *)at_rva(file, pe, u32(descriptor + 12));
            const struct image *exporter = NULL;
            for (int other = 0; other < argc && !exporter; other++)
                if (strcasecmp(images[other].name, dll) == 0) exporter = &images[other];
            const uint8_t *thunk = at_rva(file, pe, u32(descriptor) ? u32(descriptor) : u32(descriptor + 16));
            for (; u32(thunk) || u32(thunk + 4); thunk += 8, symbols++) {
                int by_ordinal = u32(thunk + 4) >> 31;
                const char *name = by_ordinal ? NULL : (const char *)at_rva(file, pe, u32(thunk)) + 2;
                if (!exporter) continue;
                given++;
                found += exports(exporter, name, u16(thunk));
            }
        }
    }
    printf("%d images, %d symbols, %d of each other, %d of them found\n", argc, symbols, given, found);
    return 0;
}

int main(int argc, char **argv) {
    int count = 0;
    if (argc > 1 && strcmp(argv[1], "-s") == 0) return look_up(argc - 2, argv + 2);
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
