// A particle in 3-D: a translucent hull, its voids inside; turned by dragging or with the arrow keys.
import { BackSide, BufferAttribute, BufferGeometry, Color, DirectionalLight, DoubleSide, FrontSide, HemisphereLight, Mesh, MeshStandardMaterial, OrbitControls, PerspectiveCamera, Scene, Vector3, WebGLRenderer } from "../../vendor/three/three.min.js";

/** Points of a binary STL, three a triangle; its normals anew, smooth enough for a marching-cubes surface. */
export function geometryOf(buffer) {
  const view = new DataView(buffer);
  const triangles = buffer.byteLength >= 84 ? view.getUint32(80, true) : 0;
  if (buffer.byteLength < 84 + 50 * triangles) throw new Error("the surface came incomplete");
  const points = new Float32Array(9 * triangles);
  for (let t = 0; t < triangles; t++) for (let i = 0; i < 9; i++) points[9 * t + i] = view.getFloat32(84 + 50 * t + 12 + 4 * i, true);
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(points, 3));
  geometry.setAttribute("normal", new BufferAttribute(smoothNormals(points), 3));
  return geometry;
}

/** Mean of the normals of all triangles at a point, weighted by area. */
function smoothNormals(points) {
  const sums = new Map(), keys = new Array(points.length / 3);
  for (let i = 0; i < points.length; i += 9) {
    const [ux, uy, uz] = [0, 1, 2].map((c) => points[i + 3 + c] - points[i + c]);
    const [vx, vy, vz] = [0, 1, 2].map((c) => points[i + 6 + c] - points[i + c]);
    const n = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (let k = 0; k < 3; k++) {
      const key = `${points[i + 3 * k]},${points[i + 3 * k + 1]},${points[i + 3 * k + 2]}`;
      keys[i / 3 + k] = key;
      const sum = sums.get(key);
      if (sum) { sum[0] += n[0]; sum[1] += n[1]; sum[2] += n[2]; } else sums.set(key, [...n]);
    }
  }
  const normals = new Float32Array(points.length);
  keys.forEach((key, i) => {
    const [x, y, z] = sums.get(key), size = Math.hypot(x, y, z) || 1;
    normals.set([x / size, y / size, z / size], 3 * i);
  });
  return normals;
}

export class MeshView {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.renderer = new WebGLRenderer({ antialias: true, alpha: true });
    this.renderer.setPixelRatio(Math.min(2, devicePixelRatio || 1));
    const { domElement } = this.renderer;
    domElement.tabIndex = 0;
    domElement.setAttribute("role", "img");
    domElement.className = "mesh-canvas";
    place.append(domElement);
    this.scene = new Scene();
    this.scene.add(new HemisphereLight(0xffffff, 0x667788, 1.6));
    this.camera = new PerspectiveCamera(35, 1, 0.01, 10000);
    const light = new DirectionalLight(0xffffff, 2);
    light.position.set(0.4, 0.8, 1);
    this.camera.add(light);
    this.scene.add(this.camera);
    this.controls = new OrbitControls(this.camera, domElement);
    this.controls.enablePan = false;
    this.controls.addEventListener("change", () => this.draw());
    domElement.addEventListener("keydown", (event) => this.key(event));
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(place);
    this.meshes = [];
  }

  /** @param {ArrayBuffer} hull @param {ArrayBuffer | null} voids */
  show(hull, voids, words) {
    this.clear();
    const outer = geometryOf(hull);
    outer.computeBoundingSphere();
    const { center, radius } = /** @type {any} */ (outer.boundingSphere);
    const colour = new Color("#56b4e9");
    // The inner side first, so that what is inside shows through both.
    for (const side of voids ? [BackSide, FrontSide] : [FrontSide])
      this.add(outer, new MeshStandardMaterial({ color: colour, roughness: 0.6, transparent: Boolean(voids), opacity: voids ? 0.28 : 1, depthWrite: !voids, side }), side === FrontSide ? 3 : 1);
    if (voids) this.add(geometryOf(voids), new MeshStandardMaterial({ color: new Color("#d55e00"), roughness: 0.5, side: DoubleSide }), 2);
    this.controls.target.copy(center);
    this.camera.position.copy(center).add(new Vector3(0.5, 0.45, 1).normalize().multiplyScalar(radius * 3.9));
    this.camera.near = radius / 50;
    this.camera.far = radius * 20;
    this.renderer.domElement.setAttribute("aria-label", words);
    this.resize();
    this.controls.update();
  }

  add(geometry, material, order) {
    const mesh = new Mesh(geometry, material);
    mesh.renderOrder = order;
    this.meshes.push(mesh);
    this.scene.add(mesh);
  }

  key(event) {
    const turn = { ArrowLeft: [0.15, 0], ArrowRight: [-0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] }[event.key];
    if (!turn) return;
    event.preventDefault();
    event.stopPropagation();
    const arm = this.camera.position.clone().sub(this.controls.target);
    arm.applyAxisAngle(this.camera.up, -turn[0]);
    const side = new Vector3().crossVectors(this.camera.up, arm).normalize();
    arm.applyAxisAngle(side, -turn[1]);
    this.camera.position.copy(this.controls.target).add(arm);
    this.controls.update();
  }

  resize() {
    const { clientWidth: w, clientHeight: h } = this.place;
    if (!w || !h) return;
    this.renderer.setSize(w, h, false);
    this.camera.aspect = w / h;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  draw() {
    this.renderer.render(this.scene, this.camera);
    this.renderer.domElement.dataset.drawn = String(Number(this.renderer.domElement.dataset.drawn ?? 0) + 1);
  }

  clear() {
    for (const mesh of this.meshes.splice(0)) {
      this.scene.remove(mesh);
      mesh.geometry.dispose();
      mesh.material.dispose();
    }
  }

  close() {
    this.clear();
    this.sized.disconnect();
    this.controls.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }
}
