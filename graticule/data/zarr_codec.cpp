#include "graticule/data/zarr_codec.h"

#include <blosc.h>
#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "graticule/core/crc32c.h"
#include "graticule/core/error.h"
#include "graticule/data/fletcher32.h"

namespace graticule {

namespace {

template <class... Parts>
[[noreturn]] void damaged(const std::string& where, const Parts&... parts) {
  fail("zarr", where, " is damaged or cut off: ", parts..., ": copy it again");
}

// The largest size accepted for what a codec made of `size` bytes: of a compressor a little more.
size_t encoded_limit(const ByteCodec& codec, size_t size) {
  if (codec.kind == ByteCodec::Kind::shuffle) return size;
  if (codec.kind == ByteCodec::Kind::number)
    return size / size_of(codec.filter.decoded.type) * size_of(codec.filter.encoded.type);
  return size + size / 8 + 65536;
}

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

Bytes decode_bz2(const Bytes& encoded, size_t limit, const std::string& where) {
  if (encoded.size > UINT32_MAX || limit > UINT32_MAX)
    refuse("zarr", where, ": bz2 chunks above 4 GB cannot be read: rewrite the store with smaller ones");
  Bytes out = Bytes::of_size(limit);
  auto size = static_cast<unsigned>(limit);
  const int status = BZ2_bzBuffToBuffDecompress(reinterpret_cast<char*>(out.data.get()), &size,
                                                reinterpret_cast<char*>(encoded.data.get()),
                                                static_cast<unsigned>(encoded.size), 0, 0);
  if (status != BZ_OK) damaged(where, "bz2 cannot decode it (", status, ")");
  return shrink(std::move(out), size);
}

// .xz or .lzma; the library tells them apart.
Bytes decode_lzma(const Bytes& encoded, size_t limit, const std::string& where) {
  Bytes out = Bytes::of_size(limit);
  constexpr uint64_t memory = uint64_t{1} << 30;
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_auto_decoder(&stream, memory, 0) != LZMA_OK) fail("zarr", where, ": no memory for lzma");
  stream.next_in = reinterpret_cast<const uint8_t*>(encoded.data.get());
  stream.avail_in = encoded.size;
  stream.next_out = reinterpret_cast<uint8_t*>(out.data.get());
  stream.avail_out = out.size;
  const lzma_ret status = lzma_code(&stream, LZMA_FINISH);
  const size_t got = stream.total_out;
  lzma_end(&stream);
  if (status != LZMA_STREAM_END) damaged(where, "lzma stops after ", got, " bytes");
  return shrink(std::move(out), got);
}

// A size of four little-endian bytes, then one block, as numcodecs writes it.
Bytes decode_lz4(const Bytes& encoded, size_t limit, const std::string& where) {
  constexpr size_t head = 4;
  size_t size = 0;
  for (size_t i = 0; i < head && i < encoded.size; ++i) size |= static_cast<size_t>(encoded.data[i]) << 8 * i;
  if (encoded.size < head || encoded.size > INT32_MAX || size > limit || size > INT32_MAX)
    damaged(where, "lz4 announces ", size, " bytes");
  Bytes out = Bytes::of_size(size);
  const int got = LZ4_decompress_safe(reinterpret_cast<const char*>(encoded.data.get()) + head,
                                      reinterpret_cast<char*>(out.data.get()),
                                      static_cast<int>(encoded.size - head), static_cast<int>(size));
  if (got < 0 || static_cast<size_t>(got) != size) damaged(where, "lz4 cannot decode it (", got, ")");
  return out;
}

// Takes off the checksum at the end, four little-endian bytes.
template <class Checksum>
Bytes strip_checksum(Bytes encoded, const std::string& where, Checksum checksum) {
  if (encoded.size < 4) damaged(where, "no checksum");
  const size_t size = encoded.size - 4;
  uint32_t stored = 0;
  for (size_t i = 0; i < 4; ++i) stored |= static_cast<uint32_t>(encoded.data[size + i]) << 8 * i;
  if (stored != checksum(std::as_const(encoded).span().first(size))) damaged(where, "its checksum differs");
  return shrink(std::move(encoded), size);
}

Bytes undo(Bytes encoded, const ByteCodec& codec, size_t limit, const std::string& where) {
  switch (codec.kind) {
    case ByteCodec::Kind::blosc:
      return decode_blosc(encoded, limit, where);
    case ByteCodec::Kind::zstd:
      return decode_zstd(encoded, limit, where);
    case ByteCodec::Kind::zlib:
      return decode_zlib(encoded, limit, where);
    case ByteCodec::Kind::bz2:
      return decode_bz2(encoded, limit, where);
    case ByteCodec::Kind::lzma:
      return decode_lzma(encoded, limit, where);
    case ByteCodec::Kind::lz4:
      return decode_lz4(encoded, limit, where);
    case ByteCodec::Kind::crc32c:
      return strip_checksum(std::move(encoded), where, [](auto bytes) { return crc32c(bytes); });
    case ByteCodec::Kind::fletcher32:
      return strip_checksum(std::move(encoded), where, fletcher32);
    case ByteCodec::Kind::shuffle:
      return undo_shuffle(encoded, codec.width);
    case ByteCodec::Kind::number:
      return undo_filter(encoded, codec.filter, where);
  }
  return encoded;
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

bool is_blosc_alone(const std::vector<ByteCodec>& codecs) {
  return codecs.size() == 1 && codecs[0].kind == ByteCodec::Kind::blosc;
}

Bytes decode_up_to(Bytes encoded, const std::vector<ByteCodec>& codecs, size_t most,
                   const std::string& where) {
  // The most bytes that may come out of each step: exactly the chunk's, until a codec of free length.
  std::vector<size_t> limits = {most};
  for (const ByteCodec& codec : codecs) limits.push_back(encoded_limit(codec, limits.back()));
  for (size_t i = codecs.size(); i-- > 0;) encoded = undo(std::move(encoded), codecs[i], limits[i], where);
  return encoded;
}

Bytes decode(Bytes encoded, const std::vector<ByteCodec>& codecs, size_t size, const std::string& where) {
  encoded = decode_up_to(std::move(encoded), codecs, size, where);
  if (encoded.size != size) damaged(where, "it holds ", encoded.size, " bytes instead of ", size);
  return encoded;
}

}  // namespace graticule
