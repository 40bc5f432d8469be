/* Echoes {packet, 4} frames: the floor of any port. It reads what the pipe holds and writes each frame back when it is whole,
   all that came together in one write: one read and one write for a call, and no work between them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(1, data, size);
        if (written <= 0)
            exit(1);
        data += written;
        size -= written;
    }
}

/* The number of bytes at the beginning that are whole frames; `wanted` is what the frame behind them needs in all. */
static size_t whole_frames(const unsigned char *data, size_t size, size_t *wanted)
{
    size_t whole = 0;
    for (;;) {
        *wanted = 4;
        if (size - whole < 4)
            return whole;
        const unsigned char *header = data + whole;
        *wanted += (uint32_t)header[0] << 24 | header[1] << 16 | header[2] << 8 | header[3];
        if (size - whole < *wanted)
            return whole;
        whole += *wanted;
    }
}

int main(void)
{
    size_t room = 1 << 16, size = 0, wanted;
    char *data = malloc(room);
    ssize_t got;
    while (data && (got = read(0, data + size, room - size)) > 0) {
        size += got;
        size_t whole = whole_frames((unsigned char *)data, size, &wanted);
        write_all(data, whole);
        size -= whole;
        memmove(data, data + whole, size);
        if (wanted > room)
            data = realloc(data, room = wanted);
    }
    return 0;
}
