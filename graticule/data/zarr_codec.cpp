#include "graticule/data/zarr_codec.h"

#include <blosc.h>
#include <zlib.h>
#include <zstd.h>

#include "graticule/core/crc32c.h"
#include "graticule/core/error.h"

namespace graticule {

namespace {

template <class... Parts>
[[noreturn]] void damaged(const std::string& where, const Parts&... parts) {
  fail("zarr", where, " is damaged or cut off: ", parts..., ": copy it again");
}

// The largest size accepted for a buffer between two codecs: a little more than the chunk.
size_t limit_of(size_t size) { return size + size / 8 + 65536; }

Bytes shrink(Bytes bytes, size_t size) {
  bytes.size = size;
  return bytes;
}

Bytes decode_blosc(const Bytes& encoded, size_t limit, const std::string& where) {
  const BloscLayout layout = blosc_layout(encoded.span(), where);
  if (layout.size > limit) damaged(where, "Blosc announces ", layout.size, " bytes");
  Bytes out = Bytes::of_size(layout.size);
  const int got = blosc_decompress_ctx(encoded.data.get(), out.data.get(), out.size, 1);
  if (got < 0 || static_cast<size_t>(got) != out.size) damaged(where, "Blosc cannot decode it (", got, ")");
  return out;
}

Bytes decode_zstd(const Bytes& encoded, size_t limit, const std::string& where) {
  Bytes out = Bytes::of_size(limit);
  const size_t got = ZSTD_decompress(out.data.get(), out.size, encoded.data.get(), encoded.size);
  if (ZSTD_isError(got)) damaged(where, "zstd: ", ZSTD_getErrorName(got));
  return shrink(std::move(out), got);
}

Bytes decode_zlib(const Bytes& encoded, size_t limit, const std::string& where) {
  if (encoded.size > UINT32_MAX || limit > UINT32_MAX)
    refuse("zarr", where, ": zlib chunks above 4 GB cannot be read: rewrite the store with smaller ones");
  Bytes out = Bytes::of_size(limit);
  z_stream stream{};
  constexpr int zlib_or_gzip = 15 + 32;
  if (inflateInit2(&stream, zlib_or_gzip) != Z_OK) fail("zarr", where, ": no memory for zlib");
  stream.next_in = reinterpret_cast<Bytef*>(encoded.data.get());
  stream.avail_in = static_cast<uInt>(encoded.size);
  stream.next_out = reinterpret_cast<Bytef*>(out.data.get());
  stream.avail_out = static_cast<uInt>(out.size);
  const int status = inflate(&stream, Z_FINISH);
  const size_t got = stream.total_out;
  inflateEnd(&stream);
  if (status != Z_STREAM_END) damaged(where, "zlib stops after ", got, " bytes");
  return shrink(std::move(out), got);
}

Bytes strip_crc32c(Bytes encoded, const std::string& where) {
  if (encoded.size < 4) damaged(where, "no checksum");
  const size_t size = encoded.size - 4;
  uint32_t stored = 0;
  for (size_t i = 0; i < 4; ++i) stored |= static_cast<uint32_t>(encoded.data[size + i]) << 8 * i;
  if (stored != crc32c(encoded.span().first(size))) damaged(where, "its checksum differs");
  return shrink(std::move(encoded), size);
}

}  // namespace

BloscLayout blosc_layout(std::span<const std::byte> encoded, const std::string& where) {
  BloscLayout layout;
  size_t unused = 0;
  if (encoded.size() < BLOSC_MIN_HEADER_LENGTH ||
      blosc_cbuffer_validate(encoded.data(), encoded.size(), &layout.size) != 0) {
    damaged(where, "its ", encoded.size(), " bytes are no whole Blosc buffer");
  }
  blosc_cbuffer_sizes(encoded.data(), &layout.size, &unused, &layout.block);
  return layout;
}

void decode_blosc_block(std::span<const std::byte> encoded, size_t begin, std::span<std::byte> out,
                        const std::string& where) {
  size_t width = 0;
  int flags = 0;
  blosc_cbuffer_metainfo(encoded.data(), &width, &flags);
  if (width == 0 || begin % width != 0 || out.size() % width != 0)
    damaged(where, "Blosc items of ", width, " bytes");
  const int got = blosc_getitem(encoded.data(), static_cast<int>(begin / width),
                                static_cast<int>(out.size() / width), out.data());
  if (got < 0 || static_cast<size_t>(got) != out.size()) damaged(where, "Blosc cannot decode it (", got, ")");
}

Bytes decode_up_to(Bytes encoded, const std::vector<ByteCodec>& codecs, size_t size,
                   const std::string& where) {
  for (size_t i = codecs.size(); i-- > 0;) {
    const size_t limit = i == 0 ? size : limit_of(size);
    switch (codecs[i]) {
      case ByteCodec::blosc:
        encoded = decode_blosc(encoded, limit, where);
        break;
      case ByteCodec::zstd:
        encoded = decode_zstd(encoded, limit, where);
        break;
      case ByteCodec::zlib:
      case ByteCodec::gzip:
        encoded = decode_zlib(encoded, limit, where);
        break;
      case ByteCodec::crc32c:
        encoded = strip_crc32c(std::move(encoded), where);
        break;
    }
  }
  return encoded;
}

Bytes decode(Bytes encoded, const std::vector<ByteCodec>& codecs, size_t size, const std::string& where) {
  encoded = decode_up_to(std::move(encoded), codecs, size, where);
  if (encoded.size != size) damaged(where, "it holds ", encoded.size, " bytes instead of ", size);
  return encoded;
}

}  // namespace graticule
