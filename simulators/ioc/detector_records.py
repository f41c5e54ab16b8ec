"""What every areaDetector port has, and what is there so that clients and screens find it, without an effect.

Names and choices are those of ADCore's templates NDArrayBase, ADBase, NDPluginBase, NDFile and NDFileHDF5.
"""

from __future__ import annotations

import numpy as np

from simulators.ioc.detector_parameters import NO_YES, Parameters
from simulators.ioc.pv import array

AD_CORE_VERSION = "3.12.1"
DATA_TYPES = ("Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float32", "Float64")
_COLOR_MODES = ("Mono", "Bayer", "RGB1", "RGB2", "RGB3", "YUV444", "YUV422", "YUV421")
_DISABLE_ENABLE = ("Disable", "Enable")
_CLOSED_OPEN = ("Closed", "Open")
_MOST_DIMENSIONS = 10
_EXTRA_DIMENSIONS = ("X", "Y", "3", "4", "5", "6", "7", "8", "9")


def data_type(kind: np.dtype) -> str:
    """The name areaDetector gives a numpy type: UInt16, Float32."""
    return {"u": "UInt", "i": "Int", "f": "Float"}[kind.kind] + str(8 * kind.itemsize)


def port_records(p: Parameters, port: str, callbacks: bool) -> None:
    """The part of NDArrayBase that the camera and the plugins share; arrays have no size until one has come."""
    p.readings(PortName=port, ADCoreVersion=AD_CORE_VERSION, DriverVersion="1.0.0")
    p.integer("ArrayCounter")
    p.readings(ArrayRate=0.0)
    p.choice("ArrayCallbacks", "Enable" if callbacks else "Disable", _DISABLE_ENABLE)
    p.integer("NDimensions")
    for name in ("Dimensions", "Dimensions_RBV"):
        p.add(name, array(_MOST_DIMENSIONS, "int32"))
    for number in range(_MOST_DIMENSIONS):
        p.integer(f"ArraySize{number}")
        p.integer(f"Dim{number}SA")
    p.readings(ArraySizeX=0, ArraySizeY=0, ArraySizeZ=0, ArraySize=0, Codec="", CompressedSize=0)
    p.choice("DataType", "UInt16", DATA_TYPES, apply=_always("UInt16"))
    p.reading("DataType_RBV.DISA", 0)
    p.choice("ColorMode", "Mono", _COLOR_MODES, apply=_always("Mono"))
    p.reading("BayerPattern_RBV", "RGGB", ("RGGB", "GBRG", "GRBG", "BGGR"))
    p.integer("UniqueId")
    p.readings(TimeStamp=0.0, EpicsTSSec=0, EpicsTSNsec=0)
    for name in ("NDAttributesFile", "NDAttributesMacros"):
        p.control(name, "\0")
    attributes = ("Attributes file OK", "File not found", "XML syntax error", "Macro substitution error")
    p.control("NDAttributesStatus", "Attributes file OK", attributes)
    for name in ("PoolMaxMem", "PoolUsedMem"):
        p.reading(name, 0.0)
    for name in ("PoolAllocBuffers", "PoolFreeBuffers", "PoolMaxBuffers", "PoolUsedBuffers", "NumQueuedArrays"):
        p.reading(name, 0)
    for name in ("EmptyFreeList", "PoolPollStats"):
        p.control(name, "No", NO_YES)
    p.control("AsynIO", "")


def camera_records(p: Parameters) -> None:
    """The part of ADBase and of simDetector that this camera has no use for."""
    for name in ("Gain", "GainX", "GainY", "GainRed", "GainGreen", "GainBlue"):
        p.double(name, 1.0)
    p.choice("FrameType", "Normal", ("Normal", "Background", "FlatField", "DblCorrelation"))
    p.integer("NumExposures", 1, apply=_always(1))
    p.readings(NumExposuresCounter=0, StringToServer="\0", StringFromServer="\0")
    p.readings(SerialNumber="0001", SDKVersion="", FirmwareVersion="")
    p.control("ReadStatus", "No", NO_YES)
    p.choice("ShutterMode", "None", ("None", "EPICS PV", "Detector output"), apply=_always("None"))
    p.choice("ShutterControl", "Close", ("Close", "Open"))
    p.reading("ShutterStatus_RBV", "Closed", _CLOSED_OPEN)
    p.reading("ShutterStatusEPICS_RBV", "Closed", _CLOSED_OPEN)
    for name in ("ShutterOpenDelay", "ShutterCloseDelay", "Temperature", "Offset", "Noise"):
        p.double(name)
    for name in ("ShutterOpenEPICS", "ShutterCloseEPICS", "TemperatureActual"):
        p.control(name, 0.0)
    p.control("ShutterControlEPICS", "Closed", _CLOSED_OPEN)
    p.control("ShutterFanout", 0)
    for name in ("Num", "Start", "Step", "Width"):
        for axis in "XY":
            p.integer(f"Peak{name}{axis}")
    p.integer("PeakVariation")
    p.choice("SimMode", "LinearRamp", ("LinearRamp", "Peaks", "Sine", "Offset&Noise"))
    p.choice("Reset", "No", NO_YES)


def plugin_records(p: Parameters) -> None:
    """The part of NDPluginBase that these plugins have no use for: one thread, arrays in order."""
    p.integer("NDArrayAddress")
    for name in ("MaxArrayRate", "MaxByteRate"):
        p.double(name)
    p.control("MaxArrayRate_COUT", 0.0)
    for name in ("DisorderedArrays", "DroppedOutputArrays"):
        p.integer(name)
    p.integer("NumThreads", 1, apply=_always(1))
    p.readings(MaxThreads=1)
    p.choice("SortMode", "Unsorted", ("Unsorted", "Sorted"), apply=_always("Unsorted"))
    p.double("SortTime", 0.1)
    p.integer("SortSize", 20)
    for name in ("QueueFreeLow", "QueueUseHIGH", "QueueUseHIHI"):
        p.control(name, 0.0)
    for name in ("SortFree", "SortFreeLow"):
        p.control(name, 20)


def file_records(p: Parameters, file_format: str) -> None:
    """The part of NDFile that file plugins have no use for."""
    for name in ("FileNumber_Sync", "FileNumber_write"):
        p.control(name, 0)
    p.choice("FileFormat", file_format, (file_format, "Invalid"), apply=_always(file_format))
    p.choice("DeleteDriverFile", "No", NO_YES, apply=_always("No"))


def hdf5_records(p: Parameters) -> None:
    """The part of NDFileHDF5 that this plugin has no use for: one layout, no extra dimensions, no SWMR."""
    p.choice("ChunkSizeAuto", "Yes", NO_YES, apply=_always("Yes"))
    for name in ("NumRowChunks", "NumColChunks", "NumFramesChunks", "NumFramesFlush", "NDAttributeChunk"):
        p.integer(name)
    for number in range(2, 10):
        p.integer(f"ChunkSize{number}")
    for name in ("BoundaryAlign", "BoundaryThreshold", "NumDataBits", "DataBitsOffset", "SZipNumPixels"):
        p.integer(name)
    p.integer("NumExtraDims", 0, apply=_always(0))
    for axis in (*_EXTRA_DIMENSIONS, "N"):
        p.integer(f"ExtraDimSize{axis}", 1)
        p.readings(**{f"ExtraDimName{axis}": ""})
        p.text(f"PosNameDim{axis}")
        p.text(f"PosIndexDim{axis}")
    for axis in _EXTRA_DIMENSIONS:
        p.integer(f"ExtraDimChunk{axis}", 1)
    p.choice("BloscShuffle", "None", ("None", "Byte", "Bit"))
    p.choice("BloscCompressor", "BloscLZ", ("BloscLZ", "LZ4", "LZ4HC", "SNAPPY", "ZLIB", "ZSTD"))
    p.integer("BloscLevel")
    p.integer("JPEGQuality", 90)
    p.double("FillValue")
    p.choice("StoreAttr", "Yes", NO_YES, apply=_always("Yes"))
    p.choice("StorePerform", "No", NO_YES, apply=_always("No"))
    p.choice("DimAttDatasets", "No", NO_YES, apply=_always("No"))
    p.long_text("XMLFileName", apply=_always(""))
    p.readings(XMLErrorMsg="\0")
    p.reading("XMLValid_RBV", "Yes", NO_YES)
    p.reading("SWMRSupported_RBV", "Not Supported", ("Not Supported", "Supported"))
    p.reading("SWMRActive_RBV", "Off", ("Off", "Active"))
    p.readings(SWMRCbCounter=0)
    for name in ("SWMRMode", "PositionMode"):
        p.choice(name, "Off", ("Off", "On"), apply=_always("Off"))
    p.control("FlushNow", "Done", ("Done", "Flush"))


def _always(value: object):
    """For a parameter that cannot be changed: the read-back says so."""

    async def apply(_: object) -> object:
        return value

    return apply
