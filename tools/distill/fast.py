"""The model as an ONNX graph with 8-bit weights: three times as fast as teacher.py on a
processor, for the many sentences whose vectors are only aims of a fit. Its vectors have a
cosine of 0.99 with the exact ones.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from teacher import EPS, HEADS


class Graph:
    """Nodes and constants of an ONNX graph, as they are made."""

    def __init__(self, weights):
        self.w, self.nodes, self.constants = weights, [], {}

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def op(self, kind, *inputs, **attributes):
        out = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def norm(self, x, name):
        gain, bias = self.constant(name + ".g", self.w[name + ".weight"]), self.constant(name + ".b", self.w[name + ".bias"])
        return self.op("LayerNormalization", x, gain, bias, axis=-1, epsilon=EPS)

    def linear(self, x, name):
        x = self.op("MatMul", x, self.constant(name + ".w", self.w[name + ".weight"].T))
        return self.op("Add", x, self.constant(name + ".bias", self.w[name + ".bias"]))


def graph(teacher):
    g = Graph(teacher.w)
    w = teacher.w
    width = w["embeddings.LayerNorm.weight"].shape[0]
    words = g.constant("words", w["embeddings.word_embeddings.weight"])
    places = g.constant("places", w["embeddings.position_embeddings.weight"] + w["embeddings.token_type_embeddings.weight"][0])
    heads = g.constant("heads", np.array([0, 0, HEADS, width // HEADS]))
    flat = g.constant("flat", np.array([0, 0, width]))
    scale = g.constant("scale", np.float32(1 / np.sqrt(width // HEADS)))
    x = g.norm(g.op("Add", g.op("Gather", words, "ids"), g.op("Gather", places, "at")), "embeddings.LayerNorm")
    for i in range(teacher.layers):
        p = f"encoder.layer.{i}."
        q, k, v = (g.op("Reshape", g.linear(x, p + "attention.self." + s), heads) for s in ("query", "key", "value"))
        q, v = (g.op("Transpose", t, perm=[0, 2, 1, 3]) for t in (q, v))
        k = g.op("Transpose", k, perm=[0, 2, 3, 1])
        a = g.op("Softmax", g.op("Mul", g.op("MatMul", q, k), scale), axis=-1)
        mixed = g.op("Reshape", g.op("Transpose", g.op("MatMul", a, v), perm=[0, 2, 1, 3]), flat)
        x = g.norm(g.op("Add", x, g.linear(mixed, p + "attention.output.dense")), p + "attention.output.LayerNorm")
        inner = g.op("Gelu", g.linear(x, p + "intermediate.dense"))
        x = g.norm(g.op("Add", x, g.linear(inner, p + "output.dense")), p + "output.LayerNorm")
    out = g.op("ReduceMean", x, g.constant("length", np.array([1])), keepdims=0)
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "length"])
    at = helper.make_tensor_value_info("at", TensorProto.INT64, ["length"])
    made = helper.make_tensor_value_info(out, TensorProto.FLOAT, ["n", width])
    body = helper.make_graph(g.nodes, "encoder", [ids, at], [made], list(g.constants.values()))
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 9
    return model


def make_fast(teacher, folder):
    """Lets teacher.encode_ids run the graph, which is written to folder, on one core: more would add up in another order."""
    full, small = f"{folder}/encoder.onnx", f"{folder}/encoder-int8.onnx"
    onnx.save(graph(teacher), full)
    quantize_dynamic(full, small, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"], per_channel=True,
                     extra_options={"MatMulConstBOnly": True})
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(small, o, providers=["CPUExecutionProvider"])

    def encode_ids(ids):
        ids = np.asarray(ids, np.int64)
        return session.run(None, {"ids": ids, "at": np.arange(ids.shape[1])})[0]

    teacher.encode_ids = encode_ids
